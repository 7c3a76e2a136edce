/** What it takes until a number of records has gone through. */
import { cpus } from 'node:os'
import { cpuSeconds, idleSeconds, treeCpuSeconds } from './process-figures.ts'

/** CPU is in seconds for a million records, which is microseconds for one. */
export interface Drain {
  readonly recordsPerSecond: number
  /** Of those whose work it is: Standpipe, or a bare client. */
  readonly ownCpu: number
  /** Undefined where the server isn't ours to look at. */
  readonly serverCpu: number | undefined
  /** Of the machine's processors, the share that nobody used. */
  readonly idleShare: number
}

export async function measureDrain(
  ownPids: readonly number[],
  serverPids: readonly number[],
  recordCount: number,
  work: () => Promise<void>,
): Promise<Drain> {
  const read = () => ({
    seconds: performance.now() / 1_000,
    own: ownPids.reduce((sum, pid) => sum + cpuSeconds(pid), 0),
    server: treeCpuSeconds(serverPids),
    idle: idleSeconds(),
  })
  const before = read()
  await work()
  const after = read()
  const seconds = after.seconds - before.seconds
  const perMillion = (spent: number): number => (spent * 1e6) / recordCount
  return {
    recordsPerSecond: recordCount / seconds,
    ownCpu: perMillion(after.own - before.own),
    serverCpu: serverPids.length === 0 ? undefined : perMillion(after.server - before.server),
    idleShare: (after.idle - before.idle) / seconds / cpus().length,
  }
}
