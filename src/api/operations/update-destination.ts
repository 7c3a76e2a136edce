import { isDeepStrictEqual } from 'node:util'
import type { JsonObject } from '../../base/json.ts'
import type { DeliveryStream } from '../../delivery-stream.ts'
import type { ApiContext } from '../context.ts'
import { ApiError, invalidArgument } from '../exceptions.ts'
import type { Operation } from '../operation.ts'
import { DESTINATION_ID } from './describe-delivery-stream.ts'
import { chooseUpdate, requireProcessing, updatedDestination } from './destination-choice.ts'
import { requiredString, streamNameOf } from './input-members.ts'
import { changeActiveStream, existingStream } from './stream-lookup.ts'

/** Merges as AWS merges. An update that changes nothing succeeds and leaves the VersionId alone. */
export const updateDestination: Operation = async (input, context) => {
  const specifiedVersionId = requiredString(input, 'CurrentDeliveryStreamVersionId')
  const destinationId = requiredString(input, 'DestinationId')
  const name = streamNameOf(input)
  const stream = await changeDestination(context, name, (current) => {
    requireVersion(current, specifiedVersionId)
    requireDestination(destinationId)
    const choice = chooseUpdate(input, context)
    return withDestination(current, updatedDestination(current, choice, context), context)
  })
  await sealIfUpdated(stream, Number(specifiedVersionId), context)
  return {}
}

/** As changeActiveStream; what a new destination names outside of itself is looked for first. */
export async function changeDestination(
  context: ApiContext,
  name: string,
  change: (current: DeliveryStream) => DeliveryStream,
): Promise<DeliveryStream> {
  const before = existingStream(context, name)
  const after = before.status === 'ACTIVE' ? change(before) : before
  if (after.destination !== before.destination) await requireProcessing(after.destination, context)
  return changeActiveStream(context, name, change)
}

/** The stream's next version; the stream itself when the destination is what it was. */
export function withDestination(
  stream: DeliveryStream,
  destination: JsonObject,
  { clock }: ApiContext,
): DeliveryStream {
  if (isDeepStrictEqual(destination, stream.destination)) return stream
  const versionId = stream.versionId + 1
  return { ...stream, destination, versionId, updatedAtMs: clock.nowMs() }
}

/** An update applies to records already buffered: they are sealed, and leave under the new version. */
export async function sealIfUpdated(
  stream: DeliveryStream,
  versionIdBefore: number,
  { intake }: ApiContext,
): Promise<void> {
  if (stream.versionId !== versionIdBefore) await intake.seal(stream.streamId, 'update')
}

function requireVersion({ name, versionId }: DeliveryStream, specified: string): void {
  if (specified === String(versionId)) return
  throw new ApiError(
    'ConcurrentModificationException',
    `Cannot update firehose: ${name} since the current version id: ${versionId} ` +
      `and specified version id: ${specified} do not match`,
  )
}

function requireDestination(destinationId: string): void {
  if (destinationId === DESTINATION_ID) return
  throw invalidArgument(`Destination Id ${destinationId} not found`)
}
