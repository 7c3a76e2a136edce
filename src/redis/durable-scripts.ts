/**
 * Scripts whose effect is as durable as was asked for once their answer is there.
 *
 * - `appendfsync always` needs nothing from us: Redis writes and syncs its log before it sends the answers
 *   of an event loop's round (beforeSleep in server.c: flushAppendOnlyFile comes before
 *   handleClientsWithPendingWrites; seen with strace). server-check.ts sees to it that it is set.
 * - Replicas, and WAITAOF, are waited for behind the script, in one pipeline: both commands speak of what
 *   their own connection wrote. Nothing else is done on that connection meanwhile, so each call has one to
 *   itself, and there are as many as there are calls at a time.
 * - A script that is run once more, because its answer was lost, writes nothing, and from Redis 7.2 on
 *   WAIT of a connection that wrote nothing is fulfilled at once, though the first run may have reached no
 *   replica yet. So a key of the same lane is written in between.
 *
 * The client's own commands for scripts are not used here: they send a script that the server has
 * forgotten once more behind the pipeline, which would be behind the wait.
 */
import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import { Cluster } from 'ioredis'
import type { ChainableCommander } from 'ioredis'
import { BackendUnavailable } from '../backend.ts'
import type { Clock } from '../base/clock.ts'
import { disconnect } from './connection.ts'
import { isOutOfMemory } from './insist.ts'
import { siblingKey } from './keys.ts'
import { Scripts, scriptSource } from './scripts.ts'
import type { RedisClient, ScriptArgument, ScriptRunner } from './scripts.ts'

/** Calls beyond these wait for one that is free. */
const CONNECTIONS_MAX = 64
/** A slot on its way to another node makes its keys wait for as long as the move takes. */
const REDIRECTIONS_MAX = 200
const REDIRECTED_MS = 25
const TOUCHED_SECONDS = 3_600

/** What has to have happened before a write counts as done. */
export interface Acknowledge {
  /** What the server's log is to be set to; `none`: it may lose what it has in memory. */
  readonly fsync: 'always' | 'everysec' | 'none'
  /** So many replicas have it in memory. */
  readonly replicas: number
  /** The server has synced it; with `replicas`, they have, too. Redis 7.2 or Valkey. */
  readonly waitAof: boolean
  /** How long to wait for that. */
  readonly timeoutMs: number
}

/** The script ran, but who should have its effect does not: it may stay or be lost. */
export class NotAcknowledged extends BackendUnavailable {
  override readonly name = 'NotAcknowledged'
}

export interface DurableScriptsOptions {
  /** Makes a connection for this alone. */
  readonly connect: () => RedisClient
  readonly acknowledge: Acknowledge
  readonly clock: Clock
}

type Outcome = readonly [error: Error | null, answer: unknown]

interface Call {
  readonly name: string
  readonly keys: readonly string[]
  readonly args: readonly ScriptArgument[]
  readonly isBinary: boolean
}

export class DurableScripts implements ScriptRunner {
  readonly #options: DurableScriptsOptions
  /** Runs them where nothing is to be waited for. */
  readonly #unawaited: ScriptRunner | undefined
  readonly #clients: RedisClient[] = []
  readonly #idle: RedisClient[] = []
  /** Calls that wait for a connection. */
  readonly #waiting: ((client: RedisClient) => void)[] = []

  constructor(options: DurableScriptsOptions) {
    const { replicas, waitAof } = options.acknowledge
    this.#options = options
    this.#unawaited = replicas > 0 || waitAof ? undefined : new Scripts(this.#connect())
  }

  /** @throws NotAcknowledged */
  async run(
    name: string,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<unknown> {
    if (this.#unawaited !== undefined) return this.#unawaited.run(name, keys, args)
    return this.#run({ name, keys, args, isBinary: false })
  }

  /** @throws NotAcknowledged */
  async runBinary(
    name: string,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<unknown> {
    if (this.#unawaited !== undefined) return this.#unawaited.runBinary(name, keys, args)
    return this.#run({ name, keys, args, isBinary: true })
  }

  close(): void {
    for (const client of this.#clients) disconnect(client)
  }

  #connect(): RedisClient {
    const client = this.#options.connect()
    this.#clients.push(client)
    return client
  }

  async #run(call: Call): Promise<unknown> {
    const client = await this.#take()
    try {
      return await this.#runOn(client, call)
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#idle.push(client)
      else next(client)
    }
  }

  #take(): RedisClient | Promise<RedisClient> {
    const idle = this.#idle.pop()
    if (idle !== undefined) return idle
    if (this.#clients.length < CONNECTIONS_MAX) return this.#connect()
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  async #runOn(client: RedisClient, call: Call): Promise<unknown> {
    let isKnown = true
    for (let redirections = 0; ;) {
      const [ran, touched, waited] = await this.#send(client, call, isKnown)
      // A full Redis does not let the key be written; what runs then removes, and is a write itself.
      const error = ran[0] ?? (isOutOfMemory(touched[0]) ? null : touched[0])
      if (error === null) {
        this.#check(waited)
        return ran[1]
      }
      if (isKnown && error.message.startsWith('NOSCRIPT')) {
        isKnown = false
      } else if (client instanceof Cluster && isRedirection(error)) {
        redirections += 1
        if (redirections > REDIRECTIONS_MAX) throw error
        await this.#options.clock.sleep(REDIRECTED_MS)
        await refreshSlots(client)
      } else {
        throw error
      }
    }
  }

  /** What became of the script, of the key that is written behind it, and of the wait. */
  async #send(
    client: RedisClient,
    { name, keys, args, isBinary }: Call,
    isKnown: boolean,
  ): Promise<readonly [ran: Outcome, touched: Outcome, waited: Outcome]> {
    const source = scriptSource(name)
    const command = isKnown ? 'evalsha' : 'eval'
    const script = [isKnown ? hashOf(source) : source, keys.length, ...keys, ...args]
    const pipeline = client.pipeline()
    if (isBinary) pipeline.callBuffer(command, ...script)
    else pipeline.call(command, ...script)
    pipeline.set(siblingKey(keys[0] ?? '', 'touched'), '', 'EX', TOUCHED_SECONDS)
    this.#addWait(pipeline)
    const [ran, touched, waited] = (await pipeline.exec()) ?? []
    assert(ran && touched && waited, 'a pipeline answers each of its commands')
    return [ran, touched, waited]
  }

  #addWait(pipeline: ChainableCommander): void {
    const { replicas, waitAof, timeoutMs } = this.#options.acknowledge
    if (waitAof) pipeline.call('waitaof', 1, replicas, timeoutMs)
    else pipeline.call('wait', replicas, timeoutMs)
  }

  #check([error, answer]: Outcome): void {
    const { replicas, waitAof, timeoutMs } = this.#options.acknowledge
    // A connection that broke is not the server's word: whoever insists runs it all once more.
    if (error !== null && error.name !== 'ReplyError') throw error
    if (error !== null) {
      const message = `Cannot tell whether a write is durable: ${error.message}`
      throw new NotAcknowledged(message, { cause: error })
    }
    const [synced, confirmed] = waitAof ? (answer as [number, number]) : [1, answer as number]
    if (synced >= 1 && confirmed >= replicas) return
    const missing =
      synced >= 1 ? `${confirmed} of ${replicas} replicas have it` : 'it is not synced'
    throw new NotAcknowledged(`Cannot acknowledge a write: ${missing} after ${timeoutMs} ms`)
  }
}

/**
 * A node of a cluster did nothing, because the slot is another's or on its way there. Who is told to ASK
 * that other one waits, too: it runs nothing with several keys of which one is not there, until the slot
 * is its own.
 */
function isRedirection({ message }: Error): boolean {
  return /^(?:MOVED|ASK|TRYAGAIN|CLUSTERDOWN)\b/.test(message)
}

/** That it failed shows when the next attempt does. */
function refreshSlots(cluster: Cluster): Promise<void> {
  return new Promise((resolve) => {
    cluster.refreshSlotsCache(() => resolve())
  })
}

const hashes = new Map<string, string>()

function hashOf(source: string): string {
  const hash = hashes.get(source) ?? createHash('sha1').update(source).digest('hex')
  hashes.set(source, hash)
  return hash
}
