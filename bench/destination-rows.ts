/**
 * How fast a backlog drains into a destination's real server, and what that takes of processor time:
 * by Standpipe, and by the destination's bare client with the same records in requests of the same
 * size, as many at a time. What the bare client needs is the limit; what Standpipe needs beyond it is
 * ours.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type {
  BareSend,
  DestinationBench,
  DestinationPlan,
} from './destinations/destination-bench.ts'
import { httpEndpoint, splunk } from './destinations/receivers.ts'
import { mongoDB } from './destinations/mongodb.ts'
import { openSearch } from './destinations/opensearch.ts'
import { postgres } from './destinations/postgres.ts'
import { s3 } from './destinations/s3.ts'
import { runLoad } from './load.ts'
import { booksOf, createStream } from './delivery-stream.ts'
import { measureDrain } from './drain.ts'
import type { Drain } from './drain.ts'
import { descendants } from './process-figures.ts'
import { ServiceUnderTest } from './service-under-test.ts'
import { post } from './signing.ts'
import { logRecords, RECORDS_PER_REQUEST } from './workload.ts'

export const DESTINATIONS: readonly DestinationPlan[] = [
  s3,
  httpEndpoint,
  splunk,
  openSearch,
  postgres,
  mongoDB,
]

export interface DestinationRow {
  readonly name: string
  readonly standpipe: Drain
  readonly bare: Drain
  readonly limit: string
}

const STREAM = 'bench-0'
/** About 5 MB, as a batch has. */
const BATCH_RECORDS = 4_500
/** As many requests at once as Standpipe has of one stream with two workers. */
const CONCURRENCY = 8
/** More batches than one of Standpipe's threads has in hand, so that each gets some. */
const WARM_UP_RECORDS = 50_000
const POLL_MS_MIN = 20
/** Of the time so far: questions cost processor time, and slow servers take long. */
const POLL_SHARE = 0.05
/** With less idle than this, processor time is what there is too little of. */
const IDLE_SHARE_MAX = 0.3

/** @returns undefined where the server can't be had */
export async function measureDestination(
  plan: DestinationPlan,
  recordCountMax: number,
): Promise<DestinationRow | undefined> {
  const before = new Set(descendants([process.pid]))
  await using bench = await plan.open()
  if (bench === undefined) return undefined
  const serverPids = descendants([process.pid]).filter((pid) => !before.has(pid))
  const recordCount = roundUp(Math.min(plan.recordCount, recordCountMax))
  // A server that has just started is slower, and so are our threads and the bare client.
  await sendAll(await bench.bareSends(batchesOf(WARM_UP_RECORDS)))
  const standpipe = await drainStandpipe(bench, serverPids, recordCount)
  const bare = await drainBare(bench, serverPids, recordCount)
  return { name: plan.name, standpipe, bare, limit: limitOf(standpipe) }
}

async function drainStandpipe(
  { environment, stream }: DestinationBench,
  serverPids: readonly number[],
  recordCount: number,
): Promise<Drain> {
  const service = await ServiceUnderTest.create(environment)
  try {
    await service.start()
    await createStream(service.port, STREAM, stream)
    await fill(service.port, WARM_UP_RECORDS)
    await drain(service.port)
    await fill(service.port, recordCount)
    const { delivered } = await booksOf(service.port, STREAM)
    const figures = await measureDrain([service.pid], serverPids, recordCount, () =>
      drain(service.port),
    )
    const count = (await booksOf(service.port, STREAM)).delivered - delivered
    if (count !== recordCount) throw new Error(`Cannot measure: ${count} records delivered`)
    return figures
  } finally {
    await service.remove()
  }
}

async function drainBare(
  bench: DestinationBench,
  serverPids: readonly number[],
  recordCount: number,
): Promise<Drain> {
  const sends = await bench.bareSends(batchesOf(recordCount))
  return await measureDrain([process.pid], serverPids, recordCount, () => sendAll(sends))
}

/** What there was too little of while Standpipe drained. */
function limitOf({ idleShare, ownCpu, serverCpu }: Drain): string {
  if (idleShare > IDLE_SHARE_MAX) return 'waiting'
  if (serverCpu === undefined) return 'unknown'
  return serverCpu > ownCpu ? "server's CPU" : 'our CPU'
}

/** Leaves a backlog behind: the stream is paused, and everything is sealed. */
async function fill(port: number, recordCount: number): Promise<void> {
  await post(port, `/streams/${STREAM}/pause`, undefined)
  const plan = { port, streamNames: [STREAM], recordCount, connectionCount: CONCURRENCY }
  const { acceptedCount } = await runLoad(plan)
  if (acceptedCount !== recordCount) throw new Error(`Cannot fill: ${acceptedCount} accepted`)
  await post(port, `/streams/${STREAM}/flush`, undefined)
}

async function drain(port: number): Promise<void> {
  await post(port, `/streams/${STREAM}/resume`, undefined)
  const started = performance.now()
  while ((await booksOf(port, STREAM)).pending > 0) {
    await sleep(Math.max(POLL_MS_MIN, (performance.now() - started) * POLL_SHARE))
  }
}

function batchesOf(recordCount: number): Buffer[][] {
  const records = logRecords(recordCount)
  const batches: Buffer[][] = []
  for (let start = 0; start < recordCount; start += BATCH_RECORDS) {
    batches.push(records.slice(start, start + BATCH_RECORDS))
  }
  return batches
}

async function sendAll(sends: readonly BareSend[]): Promise<void> {
  const left = sends.values()
  const lane = async (): Promise<void> => {
    for (const send of left) await send()
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, lane))
}

/** To whole requests of the load generator. */
function roundUp(recordCount: number): number {
  return Math.ceil(recordCount / RECORDS_PER_REQUEST) * RECORDS_PER_REQUEST
}
