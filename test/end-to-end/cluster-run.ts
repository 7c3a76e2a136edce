/**
 * The body of the cluster tests: clients send to all nodes while a test does its worst, then all nodes
 * run undisturbed, and each of them is asked for the books.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { SeededRandom } from '../fakes/seeded-random.ts'
import { readBooks } from './books.ts'
import { updatePrefixes } from './crash-run.ts'
import { watchBooks } from './cluster-nodes.ts'
import type { Nodes } from './cluster-nodes.ts'
import type { StreamVerdict, TestedStream } from './cluster-streams.ts'
import type { Service } from './harness.ts'
import { Ledger } from './ledger.ts'
import { Traffic } from './traffic.ts'

export interface LoadPlan {
  readonly streams: readonly TestedStream[]
  readonly random: SeededRandom
  /** Default: 4. */
  readonly connectionCount?: number
  /** Whether the prefixes of streams into S3 are changed meanwhile; default: yes. */
  readonly updates?: boolean
}

export interface LoadOutcome {
  readonly ledgers: ReadonlyMap<string, Ledger>
  /** Books that some node gave and that did not balance. */
  readonly unbalanced: readonly string[]
}

/**
 * Sends to all nodes, by turns to each stream, for as long as `meanwhile` takes. Whoever gives a batch
 * another name than its first one is found out by the prefixes, which change.
 */
export async function underLoad(
  nodes: Nodes,
  { streams, random, connectionCount = 4, updates = true }: LoadPlan,
  meanwhile: (ledgers: ReadonlyMap<string, Ledger>) => Promise<void>,
): Promise<LoadOutcome> {
  const byName = new Map(streams.map((stream) => [stream.name, stream]))
  const ledgers = new Map(streams.map(({ name }) => [name, new Ledger('may be none')]))
  const stop = new AbortController()
  const traffic = new Traffic({
    urls: nodes.urls,
    streamNames: [...byName.keys()],
    connectionCount,
    random,
    ledgers,
    recordOf: (name, id, padBytes) => byName.get(name)?.recordOf(id, padBytes) ?? Buffer.alloc(0),
  })
  const sending = traffic.run(stop.signal)
  const updated = updates ? bucketNames(streams) : []
  const updating = updatePrefixes(nodes.clients, updated, random, stop.signal)
  const watching = watchBooks(nodes, [...byName.keys()], stop.signal)
  try {
    // Whichever fails first is told.
    await Promise.race([meanwhile(ledgers), sending])
  } finally {
    stop.abort()
  }
  await Promise.all([sending, updating])
  return { ledgers, unbalanced: await watching }
}

/** Resolves when so many more records were acknowledged. */
export async function acknowledges(
  ledgers: ReadonlyMap<string, Ledger>,
  recordCount: number,
): Promise<void> {
  const count = (): number =>
    [...ledgers.values()].reduce((sum, { acknowledged }) => sum + acknowledged.size, 0)
  const target = count() + recordCount
  const deadlineMs = performance.now() + 30_000
  while (count() < target) {
    if (performance.now() > deadlineMs) {
      throw new Error(`Cannot go on: of ${recordCount} records ${target - count()} are not taken`)
    }
    await sleep(10)
  }
}

/** Kills nodes again and again, most of them alone, and starts each again after a while. */
export async function killAtRandom(
  nodes: Nodes,
  killCount: number,
  random: SeededRandom,
): Promise<void> {
  for (let kill = 0; kill < killCount; kill += 1) {
    await sleep(random.integer(50, 1_500))
    const victims = kill % 4 === 3 ? some(nodes.all, random) : [oneOf(nodes.all, random)]
    for (const victim of victims) {
      if (!victim.isRunning) throw victim.failure('it ended by itself')
    }
    await Promise.all(victims.map((victim) => victim.kill()))
    // Mostly gone for longer than a lock is held.
    await sleep(random.integer(0, 4_000))
    for (const victim of victims) victim.spawn()
    // Every fifth round the next kill may strike while these start.
    if (kill % 5 !== 4) await nodes.ready()
  }
  await nodes.ready()
  await sleep(1_000)
}

/** Asks every node, and expects that nothing was lost or doubled. Tells what was delivered. */
export async function expectExactlyOnce(
  nodes: Nodes,
  streams: readonly TestedStream[],
  { ledgers, unbalanced }: LoadOutcome,
  context: string,
): Promise<void> {
  const startedMs = performance.now()
  const counts: Record<string, number> = {}
  for (const stream of streams) {
    const verdict = await judgeOnAll(nodes, stream, ledgers.get(stream.name) ?? new Ledger())
    expect(verdict, `${context}, stream ${stream.name}`).toMatchObject({
      findings: [],
      bookProblems: [],
    })
    expect(verdict.acknowledgedCount, `${context}, stream ${stream.name}`).toBeGreaterThan(0)
    counts[stream.name] = verdict.acknowledgedCount
  }
  expect(unbalanced, context).toEqual([])
  const tookMs = Math.round(performance.now() - startedMs)
  console.info(`${context}: exactly once ${JSON.stringify(counts)}, seen in ${tookMs} ms`)
}

/** What the first node and the destination say; and that all nodes say the same. */
export async function judgeOnAll(
  nodes: Nodes,
  stream: TestedStream,
  ledger: Ledger,
): Promise<StreamVerdict> {
  const verdict = await stream.judge(nodes.client, ledger)
  const books = await Promise.all(nodes.clients.map((client) => readBooks(client, stream.name)))
  const texts = new Set(books.map((each) => JSON.stringify(each)))
  if (texts.size === 1) return verdict
  const problem = `the nodes disagree: ${[...texts].join(' ')}`
  return { ...verdict, bookProblems: [...verdict.bookProblems, problem] }
}

function bucketNames(streams: readonly TestedStream[]): string[] {
  const into = streams.filter(({ input }) => 'ExtendedS3DestinationConfiguration' in input)
  return into.map(({ name }) => name)
}

function oneOf(nodes: readonly Service[], random: SeededRandom): Service {
  const node = nodes[random.integer(0, nodes.length - 1)]
  if (node === undefined) throw new Error('Cannot choose a node: there is none')
  return node
}

/** About half of them. */
function some(nodes: readonly Service[], random: SeededRandom): Service[] {
  return nodes.filter(() => random.next() < 0.5)
}
