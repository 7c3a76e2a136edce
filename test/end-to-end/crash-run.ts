/**
 * The crash test's body, for any place objects go to: clients send without a pause while the whole
 * process group is killed at random moments and the streams are updated; then one undisturbed life
 * to deliver what is left, and the oracle.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { JsonObject } from '../../src/base/json.ts'
import type { SeededRandom } from '../fakes/seeded-random.ts'
import { balanced, settledBooks } from './books.ts'
import type { StreamBooks } from './books.ts'
import type { Service } from './harness.ts'
import type { HttpClient } from './http-client.ts'
import { Ledger } from './ledger.ts'
import type { Finding } from './ledger.ts'
import { decompressed } from './objects.ts'
import type { DeliveredObject } from './objects.ts'
import { describe, smallStream } from './streams.ts'
import { Traffic, idsIn } from './traffic.ts'

/** Streams under test: name and what is special about each. Small buffers, so that much happens. */
export const CRASH_STREAMS: ReadonlyMap<string, JsonObject> = new Map([
  ['plain', { CompressionFormat: 'UNCOMPRESSED' }],
  ['gzip', { CompressionFormat: 'GZIP' }],
  ['zstd', { CompressionFormat: 'ZSTD' }],
  ['encrypted', { CompressionFormat: 'GZIP' }],
])

export async function createStreams(client: HttpClient): Promise<void> {
  for (const [name, special] of CRASH_STREAMS) await smallStream(client, name, special)
  await client.expect('StartDeliveryStreamEncryption', { DeliveryStreamName: 'encrypted' })
}

export interface CrashPlan {
  readonly killCount: number
  readonly random: SeededRandom
}

/** Sends while the service is killed again and again; ends with the service running. */
export async function crashUnderTraffic(
  service: Service,
  { killCount, random }: CrashPlan,
): Promise<ReadonlyMap<string, Ledger>> {
  const streamNames = [...CRASH_STREAMS.keys()]
  const ledgers = new Map(streamNames.map((name) => [name, new Ledger()]))
  const stop = new AbortController()
  const traffic = new Traffic({
    urls: [service.url],
    streamNames,
    connectionCount: 4,
    random,
    ledgers,
  })
  const sending = traffic.run(stop.signal)
  const meddling = updateStreams(service, random, stop.signal)
  for (let kill = 0; kill < killCount; kill += 1) {
    // Most kills strike under load; every fifth strikes while the service starts.
    const early = kill % 5 === 4
    await sleep(early ? 0 : random.integer(20, 1_500))
    await service.kill()
    service.spawn()
    if (early) await sleep(random.integer(50, 700))
    else await service.ready()
  }
  await service.ready()
  await sleep(1_000)
  stop.abort()
  await Promise.all([sending, meddling])
  return ledgers
}

/** Changes prefixes all the time: an update seals, and must not rename what is frozen. */
async function updateStreams(
  service: Service,
  random: SeededRandom,
  signal: AbortSignal,
): Promise<void> {
  const client = service.client()
  await updatePrefixes([client], [...CRASH_STREAMS.keys()], random, signal)
  client.close()
}

/** By any of the clients, and any of the streams, which deliver to S3. */
export async function updatePrefixes(
  clients: readonly HttpClient[],
  names: readonly string[],
  random: SeededRandom,
  signal: AbortSignal,
): Promise<void> {
  for (let version = 1; !signal.aborted; version += 1) {
    await sleep(300)
    const client = clients[version % clients.length]
    const name = names[random.integer(0, names.length - 1)]
    // Broken off by a kill: the next one will do.
    if (client && name) await update(client, name, `generation-${version}/`).catch(() => undefined)
  }
}

async function update(client: HttpClient, DeliveryStreamName: string, Prefix: string) {
  const { VersionId } = await describe(client, DeliveryStreamName)
  await client.call('UpdateDestination', {
    DeliveryStreamName,
    CurrentDeliveryStreamVersionId: VersionId,
    DestinationId: 'destinationId-000000000001',
    ExtendedS3DestinationUpdate: { Prefix },
  })
}

/** Until what a worker left when it had recorded a receipt, and no more, is cleared away by others. */
const RECEIPTS_MS_MAX = 15_000
/** Thousands would bury the first. */
const PROBLEMS_SHOWN = 20

export interface Verdict {
  /** The first of them. */
  readonly findings: readonly Finding[]
  /** Why the books don't balance or disagree with the objects; empty when all is well. */
  readonly bookProblems: readonly string[]
  readonly acknowledgedCount: number
  readonly objectCount: number
}

/** Waits until all is delivered, then compares ledger, objects, receipts and books. */
export async function judge(
  client: HttpClient,
  name: string,
  ledger: Ledger,
  readObjects: () => Promise<DeliveredObject[]> | DeliveredObject[],
): Promise<Verdict> {
  const books = await settledBooks(client, name)
  const objects = await readObjects()
  const idsByKey = new Map(objects.map((object) => [object.key, idsIn(decompressed(object))]))
  const delivered = [...idsByKey.values()].flat()
  return {
    findings: ledger.findings(delivered).slice(0, PROBLEMS_SHOWN),
    bookProblems: [
      ...bookProblems(books, delivered.length, ledger.acknowledged.size),
      ...(await receiptProblems(client, ledger, idsByKey)).slice(0, PROBLEMS_SHOWN),
    ],
    acknowledgedCount: ledger.acknowledged.size,
    objectCount: objects.length,
  }
}

/** Empty when they balance, nothing is pending, and what was delivered was found. */
export function bookProblems(
  books: StreamBooks,
  deliveredCount: number,
  acknowledged: number,
): string[] {
  const { accepted, delivered, dropped, errored, quarantined, pending } = books
  const problems: string[] = []
  if (!balanced(books)) problems.push('unbalanced')
  if (pending > 0) problems.push('still pending')
  if (delivered !== deliveredCount) problems.push(`objects hold ${deliveredCount} records`)
  if (accepted < acknowledged) problems.push(`${acknowledged} were acknowledged`)
  if (dropped + errored + quarantined > 0) problems.push('not all were delivered')
  return problems.map((problem) => `${problem}: ${JSON.stringify(books)}`)
}

/** For the first record acknowledged in each batch: the receipt names the object that holds it. */
async function receiptProblems(
  client: HttpClient,
  ledger: Ledger,
  idsByKey: ReadonlyMap<string, readonly string[]>,
): Promise<string[]> {
  const problems: string[] = []
  const keyOf = new Map([...idsByKey].flatMap(([key, ids]) => ids.map((id) => [id, key] as const)))
  const seen = new Set<string>()
  const deadlineMs = performance.now() + RECEIPTS_MS_MAX
  for (const [id, recordId] of ledger.acknowledged) {
    const batchId = recordId.slice(0, 26)
    if (seen.has(batchId)) continue
    seen.add(batchId)
    const key = keyOf.get(id)
    for (;;) {
      const { status, body } = await client.get(`/receipts/${recordId}`)
      const text = JSON.stringify(body)
      if (status === 200 && key !== undefined && text.includes(key)) break
      if (performance.now() > deadlineMs || !text.includes('in-flight')) {
        problems.push(`receipt of ${id}, which lies in ${key}: ${status} ${text}`)
        break
      }
      await sleep(100)
    }
  }
  return problems
}
