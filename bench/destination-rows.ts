/**
 * How fast a backlog drains into a destination's real server, and what that takes of processor time:
 * by Standpipe, and by the destination's bare client with the same records in requests of the same
 * size, as many at a time. What the bare client needs is the limit; what Standpipe needs beyond it is
 * ours.
 */
import { cpus } from 'node:os'
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
import { cpuSeconds, descendants, idleSeconds, treeCpuSeconds } from './process-figures.ts'
import { ServiceUnderTest } from './service-under-test.ts'
import { getJson, post } from './signing.ts'
import { logRecords, RECORDS_PER_REQUEST } from './workload.ts'

export const DESTINATIONS: readonly DestinationPlan[] = [
  s3,
  httpEndpoint,
  splunk,
  openSearch,
  postgres,
  mongoDB,
]

/** A drain, by whoever sends. CPU is in seconds for a million records. */
export interface Drain {
  readonly recordsPerSecond: number
  readonly senderCpu: number
  /** Undefined where the server isn't ours to look at. */
  readonly serverCpu: number | undefined
  /** Of the machine's processors, the share that nobody used. */
  readonly idleShare: number
}

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
    await createStream(service.port, stream)
    await fill(service.port, WARM_UP_RECORDS)
    await drain(service.port)
    await fill(service.port, recordCount)
    const { delivered } = await booksOf(service.port)
    const figures = await measure([service.pid], serverPids, recordCount, () => drain(service.port))
    const count = (await booksOf(service.port)).delivered - delivered
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
  return await measure([process.pid], serverPids, recordCount, () => sendAll(sends))
}

async function measure(
  senderPids: readonly number[],
  serverPids: readonly number[],
  recordCount: number,
  work: () => Promise<void>,
): Promise<Drain> {
  const read = () => ({
    seconds: performance.now() / 1_000,
    sender: senderPids.reduce((sum, pid) => sum + cpuSeconds(pid), 0),
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
    senderCpu: perMillion(after.sender - before.sender),
    serverCpu: serverPids.length === 0 ? undefined : perMillion(after.server - before.server),
    idleShare: (after.idle - before.idle) / seconds / cpus().length,
  }
}

/** What there was too little of while Standpipe drained. */
function limitOf({ idleShare, senderCpu, serverCpu }: Drain): string {
  if (idleShare > IDLE_SHARE_MAX) return 'waiting'
  if (serverCpu === undefined) return 'unknown'
  return serverCpu > senderCpu ? "server's CPU" : 'our CPU'
}

async function createStream(port: number, stream: object): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'Firehose_20150804.CreateDeliveryStream',
    },
    body: JSON.stringify({ DeliveryStreamName: STREAM, ...stream }),
  })
  if (!answer.ok) throw new Error(`Cannot create: ${answer.status} ${await answer.text()}`)
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
  while ((await booksOf(port)).pending > 0) {
    await sleep(Math.max(POLL_MS_MIN, (performance.now() - started) * POLL_SHARE))
  }
}

interface StreamStatus {
  readonly Books: { readonly Delivered: number; readonly Pending: number }
  readonly Delivery: { readonly LastFailure?: object }
}

async function booksOf(port: number): Promise<{ delivered: number; pending: number }> {
  const status = (await getJson(port, `/streams/${STREAM}`, undefined)) as StreamStatus
  const { Books: books, Delivery: delivery } = status
  if (delivery.LastFailure) throw new Error(`Cannot drain: ${JSON.stringify(delivery.LastFailure)}`)
  return { delivered: books.Delivered, pending: books.Pending }
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
