import { setTimeout as sleep } from 'node:timers/promises'
import type { SeededRandom } from '../fakes/seeded-random.ts'
import { HttpClient } from './http-client.ts'
import type { Ledger } from './ledger.ts'

export interface TrafficOptions {
  /** Connections are spread over them. */
  readonly urls: readonly string[]
  readonly streamNames: readonly string[]
  readonly connectionCount: number
  readonly random: SeededRandom
  readonly ledgers: ReadonlyMap<string, Ledger>
  /** Default: a line (lineOf). */
  readonly recordOf?: (streamName: string, id: string, padBytes: number) => Buffer
}

/**
 * Clients that send uniquely numbered records over several connections until the signal aborts, and
 * keep the ledgers. They never repeat a batch that may have arrived.
 */
export class Traffic {
  readonly #options: TrafficOptions
  #lastId = 0

  constructor(options: TrafficOptions) {
    this.#options = options
  }

  async run(signal: AbortSignal): Promise<void> {
    const { connectionCount, urls } = this.#options
    const connections = Array.from({ length: connectionCount }, (_, index) =>
      this.#connection(urls[index % urls.length] ?? '', signal),
    )
    await Promise.all(connections)
  }

  async #connection(url: string, signal: AbortSignal): Promise<void> {
    const { random } = this.#options
    const client = new HttpClient(url)
    while (!signal.aborted) {
      await this.#sendBatch(client, signal)
      await sleep(random.integer(5, 30))
    }
    client.close()
  }

  async #sendBatch(client: HttpClient, signal: AbortSignal): Promise<void> {
    const { streamNames, random, ledgers } = this.#options
    const name = streamNames[random.integer(0, streamNames.length - 1)] ?? ''
    const ledger = ledgers.get(name)
    if (ledger === undefined) throw new Error(`Cannot send to ${name}: it has no ledger`)
    const ids = Array.from({ length: random.integer(1, 60) }, () => this.#nextId(name))
    const Records = ids.map((id) => ({ Data: this.#record(name, id).toString('base64') }))
    const input = { DeliveryStreamName: name, Records }
    for (;;) {
      try {
        const { status, body } = await client.call('PutRecordBatch', input)
        return void ledger.enter(ids, status, body)
      } catch (error) {
        // Nothing was sent when nobody listened; the same records may be tried again.
        const unsent = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED'
        if (unsent && !signal.aborted) await sleep(10)
        else return ids.forEach((id) => ledger.leaveOpen(id))
      }
    }
  }

  #nextId(name: string): string {
    this.#lastId += 1
    return `${name}-${this.#lastId}`
  }

  /** Mostly small, sometimes large. */
  #record(name: string, id: string): Buffer {
    const { random, recordOf } = this.#options
    const padBytes =
      random.next() < 0.002 ? random.integer(50_000, 900_000) : random.integer(0, 600)
    return recordOf?.(name, id, padBytes) ?? lineOf(id, padBytes)
  }
}

export function lineOf(id: string, padBytes: number): Buffer {
  return Buffer.from(`${id} ${'x'.repeat(padBytes)}.\n`)
}

/** The ids in an object's bytes, in order. A line that is not one of ours is an id of its own. */
export function idsIn(bytes: Buffer): string[] {
  const lines = bytes.toString('latin1').split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.map(
    (line) => /^([a-z]+-\d+) x*\.$/.exec(line)?.[1] ?? `damaged: ${line.slice(0, 80)}`,
  )
}
