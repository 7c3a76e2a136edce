/** What an operator does to a stream: deliver now, hold, go on. */
import type { DeliveryStream } from '../../delivery-stream.ts'
import type { JsonObject } from '../../base/json.ts'
import type { ApiContext } from '../context.ts'
import type { Route } from '../operation.ts'
import { activeStream, changeActiveStream } from '../operations/stream-lookup.ts'
import { parameterOf } from './route-parameters.ts'

/** Seals what is buffered, so that it is delivered without waiting for size or age. */
export const flushStream = control('flush', 'FlushDeliveryStream', async (stream, context) => {
  const open = await context.store.openBatches(stream.streamId)
  await context.intake.seal(stream.streamId, 'flush')
  const recordCounts = open.map(({ state, recordCount }) => (state === 'open' ? recordCount : 0))
  return { FlushedRecordCount: recordCounts.reduce((sum, count) => sum + count, 0) }
})

/** Records are still accepted; nothing is delivered until the stream is resumed, by any process. */
export const pauseStream = control('pause', 'PauseDeliveryStream', async (stream, context) => {
  await changeActiveStream(context, stream.name, (current) =>
    current.paused === true ? current : { ...current, paused: true },
  )
  await context.queue.pause(stream.streamId)
  return await stateOf(stream, context)
})

/** Lifts pause and brake, and tries at once what waits or was parked. */
export const resumeStream = control('resume', 'ResumeDeliveryStream', async (stream, context) => {
  await changeActiveStream(context, stream.name, (current) => {
    const { paused, ...resumed } = current
    return paused === true ? resumed : current
  })
  await context.queue.resume(stream.streamId)
  return await stateOf(stream, context)
})

function control(
  verb: string,
  action: string,
  act: (stream: DeliveryStream, context: ApiContext) => Promise<JsonObject>,
): Route {
  return {
    method: 'POST',
    path: `/streams/{name}/${verb}`,
    action,
    bodyBytesMax: 0,
    audited: true,
    async handle(request, context) {
      const stream = activeStream(context, parameterOf(request, 'name'))
      return { statusCode: 200, body: await act(stream, context) }
    },
  }
}

async function stateOf({ streamId }: DeliveryStream, { queue }: ApiContext): Promise<JsonObject> {
  const { state } = await queue.status(streamId)
  return { State: state }
}
