/** Many processes of the service on one Redis. */
import { Cluster, Redis } from 'ioredis'
import { balanced, readBooks } from './books.ts'
import { Service } from './harness.ts'
import type { Role } from './harness.ts'
import type { HttpClient } from './http-client.ts'

export interface NodesPlan {
  /** URL of the Redis, without a prefix. */
  readonly redis: string
  readonly roles: readonly Role[]
  /** Beside what all nodes of a test have. */
  readonly environment: Readonly<Record<string, string>>
}

/** A worker that is not heard of for so long has lost what it held. */
export const LOCK_MS = 3_000

const ENVIRONMENT = {
  STANDPIPE_REDIS_LOCK_MS: String(LOCK_MS),
  STANDPIPE_RETRY_BACKOFF_FIRST_MS: '20',
  STANDPIPE_RETRY_BACKOFF_MAX_MS: '200',
  // Many processes on few cores.
  STANDPIPE_WORKERS: '1',
}

let prefixCount = 0

export class Nodes implements AsyncDisposable {
  readonly all: readonly Service[]
  readonly prefix: string
  readonly #clients: readonly HttpClient[]

  private constructor(all: readonly Service[], prefix: string) {
    this.all = all
    this.prefix = prefix
    this.#clients = this.apis.map((node) => node.client())
  }

  /** Starts one process for each role. */
  static async start({ redis, roles, environment }: NodesPlan): Promise<Nodes> {
    prefixCount += 1
    const prefix = `test-${process.pid}-${prefixCount}`
    const options = {
      environment: {
        ...ENVIRONMENT,
        STANDPIPE_BACKEND: `${redis}?prefix=${prefix}`,
        ...environment,
      },
    }
    const all = await Promise.all(roles.map((role) => Service.create({ ...options, role })))
    const nodes = new Nodes(all, prefix)
    try {
      await Promise.all(all.map((node) => node.start()))
      return nodes
    } catch (error) {
      await nodes[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Those that clients talk to. */
  get apis(): readonly Service[] {
    return this.all.filter(({ role }) => role !== 'worker')
  }

  /** Those that deliver. */
  get workers(): readonly Service[] {
    return this.all.filter(({ role }) => role !== 'api')
  }

  get urls(): readonly string[] {
    return this.apis.map(({ url }) => url)
  }

  /** To each of `apis`. */
  get clients(): readonly HttpClient[] {
    return this.#clients
  }

  /** To the first of `apis`. */
  get client(): HttpClient {
    const [client] = this.#clients
    if (client === undefined) throw new Error('Cannot call: no node has an API')
    return client
  }

  /** Waits until all are ready; rejects when one ended by itself. */
  async ready(): Promise<void> {
    await Promise.all(this.all.map((node) => node.ready()))
  }

  /** The latest lines of all logs that match. */
  logLines(pattern: RegExp): string[] {
    const lines = this.all.flatMap(({ log, role }) =>
      log.split('\n').map((line) => `${role}: ${line}`),
    )
    return lines.filter((line) => pattern.test(line))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close()
    await Promise.all(this.all.map((node) => node[Symbol.asyncDispose]()))
  }
}

/**
 * Looks at the books of any node again and again: at no moment may they not balance. Resolves with
 * those that did not, when the signal aborts.
 */
export async function watchBooks(
  nodes: Nodes,
  names: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const unbalanced: string[] = []
  for (let look = 0; !signal.aborted; look += 1) {
    const client = nodes.clients[look % nodes.clients.length]
    const name = names[look % names.length] ?? ''
    // A node that is gone, or a Redis, tells nothing.
    const books = await (client && readBooks(client, name).catch(() => undefined))
    if (books !== undefined && !balanced(books)) unbalanced.push(`${name} ${JSON.stringify(books)}`)
    await new Promise((resolve) => setTimeout(resolve, 37))
  }
  return unbalanced
}

/** The lane-0 hash tag of each stream by its name, as keys have it: `{<tag>}`. */
export async function tagsOf(url: string, prefix: string): Promise<ReadonlyMap<string, string>> {
  const [first = ''] = url.replace(/^redis\+cluster:\/\//, '').split(',')
  const client = url.startsWith('redis+cluster:')
    ? new Cluster([{ host: '127.0.0.1', port: Number(first.split(':')[1]) }])
    : new Redis(url)
  try {
    const names = await client.hgetall(`${prefix}:{catalog}:ids`)
    return new Map(Object.entries(names).map(([streamId, name]) => [name, streamId]))
  } finally {
    client.disconnect()
  }
}
