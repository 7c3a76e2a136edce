/**
 * kill -9 while a function transforms, with S3 and OpenSearch behind. The function drops a tenth of the
 * records and fails another, says in each record which call it was transformed by, and notes its calls.
 */
import { watch, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { FaultProxy } from '../fakes/fault-proxy.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { installOpenSearch, startOpenSearch } from '../servers/opensearch.ts'
import { startS3Server } from '../servers/s3-server.ts'
import type { S3Server } from '../servers/s3-server.ts'
import { eventually } from './harness.ts'
import { Ledger } from './ledger.ts'
import type { DeliveredObject } from './objects.ts'
import {
  errorRecords,
  lambda,
  processing,
  ProcessingService,
  rawText,
  ROLE,
  s3Configuration,
} from './processing-service.ts'
import { S3Buckets } from './s3-buckets.ts'
import { Traffic } from './traffic.ts'

const KILL_COUNT = Number(process.env['STANDPIPE_TEST_KILLS'] ?? (process.env['CI'] ? 12 : 6))
const SMALL = { SizeInMBs: 1, IntervalInSeconds: 1 }
const WHAT = 'S3 server, or JDK of version 17 or later and Maven, for OpenSearch'

/** What the function makes of a record. */
interface Transformed {
  readonly id: string
  /** The invocation that it was transformed in. */
  readonly call: string
}

/** What the function notes of a call. */
interface Call {
  readonly pid: number
  readonly call: string
  readonly recordIds: readonly string[]
}

const s3Server = await startS3Server()
const isHere = s3Server !== undefined && (await installOpenSearch())

test.runIf(available(WHAT, isHere))(
  'kill -9 during processing: nothing lost, nothing doubled, nothing transformed twice in a life',
  async () => {
    await using s3 = new S3Buckets(s3Server as S3Server)
    await using search = await startOpenSearch()
    await using s3Proxy = await FaultProxy.start(s3.port)
    await using searchProxy = await FaultProxy.start(search.port)
    await using standpipe = await ProcessingService.start(
      {},
      { ...s3.environment, STANDPIPE_S3_ENDPOINT: urlOf(s3Proxy) },
    )
    const seed = testSeed()
    const calls = standpipe.notePath('calls')
    await standpipe.writeFunction('transform.mjs', transform(calls, standpipe.notePath('gate')))
    await createStreams(standpipe, s3, urlOf(searchProxy))

    const ledgers = await killUnderTraffic(standpipe, new SeededRandom(seed), [
      { proxy: s3Proxy, marker: 'PUT /' },
      { proxy: searchProxy, marker: 'POST /_bulk' },
    ])

    const callsMade = (await standpipe.noteLines('calls')).map((line) => JSON.parse(line) as Call)
    expect(repeatedInALife(callsMade), `seed ${seed}`).toEqual([])
    // The first kill struck while the function was at it: that batch was transformed once more.
    const lives = new Set(callsMade.map((each) => `${batchOf(each)} ${each.pid}`))
    expect(lives.size).toBeGreaterThan(new Set(callsMade.map(batchOf)).size)
    for (const [name, ledger] of ledgers) {
      const objects = await s3.objects(name)
      const documents = name === 'search' ? await search.documents('search-*') : undefined
      const delivered =
        documents?.map(({ _source }) => _source as unknown as Transformed) ?? transformedIn(objects)
      const failed = errorRecords(objects, 'processing-failed').map((record) =>
        idOf(rawText(record)),
      )
      const books = await standpipe.settled(name)
      const context = `seed ${seed}, stream ${name}, ${JSON.stringify(books)}`
      expect(books, context).toMatchObject({
        delivered: delivered.length,
        errored: failed.length,
        quarantined: 0,
      })
      const found = [...delivered.map(({ id }) => id), ...failed]
      const findings = ledger.findings(found)
      expect(
        findings.filter(({ problem, id }) => problem !== 'lost' || !isDropped(id)),
        context,
      ).toEqual([])
      expect(found.filter(isDropped), context).toEqual([])
      expect(failed.every(isFailed), context).toBe(true)
      expect(outdated(delivered, callsMade), context).toEqual([])
      expect(ledger.acknowledged.size).toBeGreaterThan(100)
    }
  },
)

async function createStreams(
  standpipe: ProcessingService,
  s3: S3Buckets,
  searchUrl: string,
): Promise<void> {
  const processors = processing(lambda('transform', { BufferSizeInMBs: '0.2' }))
  for (const name of ['plain', 'search']) await s3.create(name)
  await standpipe.createS3Stream('plain', { ...processors, BufferingHints: SMALL })
  await standpipe.createStream({
    DeliveryStreamName: 'search',
    AmazonopensearchserviceDestinationConfiguration: {
      RoleARN: ROLE,
      ClusterEndpoint: searchUrl,
      IndexName: 'search',
      BufferingHints: SMALL,
      RetryOptions: { DurationInSeconds: 300 },
      S3Configuration: s3Configuration('search'),
      ...processors,
    },
  })
}

/** What goes to a destination, and how its requests that have an effect look. */
interface Way {
  readonly proxy: FaultProxy
  readonly marker: string
}

function urlOf({ port }: FaultProxy): string {
  return `http://127.0.0.1:${port}`
}

/**
 * Half of the kills strike while the function is called, half when a destination has taken something
 * and the service hasn't heard of it. Ends when all that was acknowledged has come to its end.
 */
async function killUnderTraffic(
  standpipe: ProcessingService,
  random: SeededRandom,
  ways: readonly Way[],
): Promise<ReadonlyMap<string, Ledger>> {
  const { service } = standpipe
  const ledgers = new Map(['plain', 'search'].map((name) => [name, new Ledger()]))
  const stop = new AbortController()
  const traffic = new Traffic({
    urls: [service.url],
    streamNames: [...ledgers.keys()],
    connectionCount: 2,
    random,
    ledgers,
  })
  const sending = traffic.run(stop.signal)
  const notes = standpipe.notePath('calls')
  for (let kill = 0; kill < KILL_COUNT; kill += 1) {
    if (kill % 2 === 0) await changes(notes, kill === 0 ? 1 : random.integer(1, 12))
    else await loseReply(ways[(kill >> 1) % ways.length] as Way)
    await service.kill()
    if (kill === 0) await writeFile(standpipe.notePath('gate'), '')
    await Promise.all(ways.map(({ proxy }) => proxy.become({ kind: 'pass' })))
    await service.start()
  }
  await changes(notes, 1)
  stop.abort()
  await sending
  for (const name of ledgers.keys()) await standpipe.settled(name)
  return ledgers
}

/** Resolves when a request has had its effect and the reply is lost. */
async function loseReply({ proxy, marker }: Way): Promise<void> {
  const before = proxy.lostCount
  await proxy.become({ kind: 'lose reply', marker })
  await eventually('a reply is lost', 30_000, async () =>
    proxy.lostCount > before ? true : undefined,
  )
}

/** Until the gate is there, a call takes for ever. */
function transform(calls: string, gate: string): string {
  return `
    import { appendFileSync, existsSync } from 'node:fs'
    import { setTimeout as sleep } from 'node:timers/promises'

    const base64 = (text) => Buffer.from(text).toString('base64')
    export async function handler({ invocationId: call, records }) {
      const recordIds = records.map(({ recordId }) => recordId)
      appendFileSync(${JSON.stringify(calls)}, JSON.stringify({ pid: process.pid, call, recordIds }) + '\\n')
      do await sleep(30)
      while (!existsSync(${JSON.stringify(gate)}))
      return {
        records: records.map(({ recordId, data }) => {
          const [id] = Buffer.from(data, 'base64').toString().split(' ')
          if (id.endsWith('0')) return { recordId, result: 'Dropped' }
          if (id.endsWith('5')) return { recordId, result: 'ProcessingFailed' }
          return { recordId, result: 'Ok', data: base64(JSON.stringify({ id, call }) + '\\n') }
        }),
      }
    }`
}

function isDropped(id: string): boolean {
  return id.endsWith('0')
}

function isFailed(id: string): boolean {
  return id.endsWith('5')
}

function idOf(record: string): string {
  return record.split(' ')[0] ?? ''
}

/** All records of a call are of one batch, whose id is the first part of theirs. */
function batchOf({ recordIds }: Call): string {
  return recordIds[0]?.slice(0, 26) ?? ''
}

/** Records that one life of the service gave to the function more than once. */
function repeatedInALife(calls: readonly Call[]): string[] {
  const seen = new Set<string>()
  const repeated: string[] = []
  for (const { pid, recordIds } of calls) {
    for (const recordId of recordIds) {
      const key = `${recordId} in ${pid}`
      if (seen.has(key)) repeated.push(key)
      seen.add(key)
    }
  }
  return repeated
}

/**
 * Records that were not delivered as the last life transformed them that gave their batch to the
 * function: of what is staged no life asks again, and no batch is delivered by halves of two lives.
 */
function outdated(delivered: readonly Transformed[], calls: readonly Call[]): string[] {
  const byCall = new Map(calls.map((each) => [each.call, each]))
  const lastLives = new Map(calls.map((each) => [batchOf(each), each.pid]))
  const isOutdated = ({ call }: Transformed): boolean => {
    const made = byCall.get(call)
    return made === undefined || made.pid !== lastLives.get(batchOf(made))
  }
  return delivered.filter(isOutdated).map(({ id }) => id)
}

function transformedIn(objects: readonly DeliveredObject[]): Transformed[] {
  const lines = objects
    .filter(({ key }) => key.startsWith('data/'))
    .flatMap(({ bytes }) => bytes.toString().split('\n').slice(0, -1))
  return lines.map((line) => JSON.parse(line) as Transformed)
}

/** Resolves when a file has been seen to change so often. */
async function changes(path: string, count: number): Promise<void> {
  let seen = 0
  for await (const { filename } of watch(dirname(path), { signal: AbortSignal.timeout(60_000) })) {
    if (filename !== null && path.endsWith(`/${filename}`)) seen += 1
    if (seen === count) return
  }
}
