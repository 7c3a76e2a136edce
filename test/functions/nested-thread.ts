/** A thread that uses functions, as a delivery thread does; answers with what became of two of them. */
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { FunctionDirectory } from '../../src/functions/function-directory.ts'
import { eventOf, functionArn } from '../fakes/function-fixtures.ts'

const functions = new FunctionDirectory({
  directory: workerData as string,
  mapping: {},
  lambda: { region: 'us-east-1' },
  timeoutMs: 10_000,
  memoryMB: 128,
  clock: systemClock,
  logger: silentLogger,
})
const outcomes: string[] = []
for (const name of ['hoards', 'answers']) {
  const lease = await functions.lease(functionArn(name))
  const invocation = lease.invoke(eventOf('x'), new AbortController().signal)
  outcomes.push(
    await invocation.then(
      ({ value }) => JSON.stringify(value),
      (error: unknown) => String(error),
    ),
  )
  lease.release()
}
await functions.close()
parentPort?.postMessage(outcomes)
