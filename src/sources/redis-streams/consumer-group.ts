/** The commands that one consumer of one group gives for one key, and their answers as values. */
import type { Redis } from 'ioredis'
import type { StreamFacts } from './entry-count.ts'
import type { Entry } from './entry-record.ts'
import { failureOf } from './redis-failure.ts'
import type { StreamConnection } from './stream-connection.ts'

export interface GroupFacts {
  readonly lastDeliveredId: string
  /** Place of that entry among all that were ever added; the server does not always know. */
  readonly readCount: number | undefined
}

export interface ClaimedPage {
  /** Entries that were pending, in order, and are this consumer's now. */
  readonly ids: readonly string[]
  /** Entries that were pending and are in the stream no more. */
  readonly goneIds: readonly string[]
  /** Where the next page begins; undefined: this was the last. */
  readonly next: string | undefined
}

export interface ConsumerGroupOptions {
  readonly key: string
  readonly group: string
  readonly consumer: string
  /** For commands that are answered at once. */
  readonly commands: StreamConnection
  /** For those that wait; nobody else waits on it. */
  readonly waiting: StreamConnection
}

const PAGE = 1_000
const FIRST_PAGE = '0-0'

/** @throws SourceError and GroupGone, all of them */
export class ConsumerGroup {
  readonly key: string
  readonly #group: string
  readonly #consumer: string
  readonly #commands: StreamConnection
  readonly #waiting: StreamConnection

  constructor({ key, group, consumer, commands, waiting }: ConsumerGroupOptions) {
    this.key = key
    this.#group = group
    this.#consumer = consumer
    this.#commands = commands
    this.#waiting = waiting
  }

  /** Undefined when there is no such key. */
  async streamFacts(): Promise<StreamFacts | undefined> {
    const answer = await this.#ask((redis) => unlessNoKey(redis.call('XINFO', 'STREAM', this.key)))
    if (answer === undefined) return undefined
    const facts = membersOf(answer)
    const [firstId] = (facts.get('first-entry') ?? []) as string[]
    return {
      length: Number(facts.get('length')),
      addedCount: countOf(facts.get('entries-added')),
      firstId,
      lastId: String(facts.get('last-generated-id')),
      deletedId: facts.get('max-deleted-entry-id') as string | undefined,
    }
  }

  /** Undefined when there is no such group, or key. */
  async groupFacts(): Promise<GroupFacts | undefined> {
    const answer = await this.#ask((redis) => unlessNoKey(redis.call('XINFO', 'GROUPS', this.key)))
    const groups = ((answer ?? []) as unknown[]).map(membersOf)
    const facts = groups.find((group) => group.get('name') === this.#group)
    if (facts === undefined) return undefined
    return {
      lastDeliveredId: String(facts.get('last-delivered-id')),
      readCount: countOf(facts.get('entries-read')),
    }
  }

  /** Makes the group, and the key, as if it had delivered everything up to the id. */
  async create(lastDeliveredId: string): Promise<void> {
    await this.#ask(async (redis) => {
      try {
        await redis.call('XGROUP', 'CREATE', this.key, this.#group, lastDeliveredId, 'MKSTREAM')
      } catch (error) {
        // Another reader was faster.
        if (!(error as Error).message.startsWith('BUSYGROUP')) throw error
      }
    })
  }

  /**
   * Says up to where the group was given entries.
   * @param readCount how many were ever added up to there; absent: not known
   */
  async set(lastDeliveredId: string, readCount?: number): Promise<void> {
    const count = readCount === undefined ? [] : ['ENTRIESREAD', readCount]
    const parameters = [this.key, this.#group, lastDeliveredId, ...count] as const
    await this.#ask((redis) => redis.call('XGROUP', 'SETID', ...parameters))
  }

  /** Makes what is pending of any consumer this one's, oldest first. */
  async claim(from = FIRST_PAGE): Promise<ClaimedPage> {
    const parameters = [this.key, this.#group, this.#consumer, 0, from, 'COUNT', PAGE] as const
    const answer = await this.#ask((redis) => redis.call('XAUTOCLAIM', ...parameters, 'JUSTID'))
    const [next, ids, goneIds = []] = answer as [string, string[], string[]?]
    return { ids, goneIds, next: next === FIRST_PAGE ? undefined : next }
  }

  /** Removes the other consumers that have nothing pending; one that lives comes back by itself. */
  async removeIdleConsumers(): Promise<void> {
    const [key, group] = [this.key, this.#group]
    const answer = await this.#ask((redis) => redis.call('XINFO', 'CONSUMERS', key, group))
    for (const consumer of (answer as unknown[]).map(membersOf)) {
      const name = String(consumer.get('name'))
      if (name === this.#consumer || consumer.get('pending') !== 0) continue
      await this.#ask((redis) => redis.call('XGROUP', 'DELCONSUMER', key, group, name))
    }
  }

  /**
   * Entries that are in the stream, whoever was given them.
   * @param from as XRANGE has it: with a bracket before it, the id itself does not count
   */
  async range(from: string, upTo: string, countMax: number): Promise<readonly Entry[]> {
    const parameters = [this.key, from, upTo, 'COUNT', countMax] as const
    return entriesOf(await this.#ask((redis) => redis.callBuffer('XRANGE', ...parameters)))
  }

  /** What the group has given nobody yet; waits for it so long, or not at all. */
  async readNew(countMax: number, waitMs?: number): Promise<readonly Entry[]> {
    const who = ['GROUP', this.#group, this.#consumer] as const
    const limits = ['COUNT', countMax, ...(waitMs === undefined ? [] : ['BLOCK', waitMs])] as const
    const answer = await this.#ask(
      (redis) => redis.callBuffer('XREADGROUP', ...who, ...limits, 'STREAMS', this.key, '>'),
      this.#waiting,
    )
    // A map of the one key that was asked for, which the client makes a list.
    return answer === null ? [] : entriesOf((answer as unknown[])[1])
  }

  async acknowledge(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await this.#ask((redis) => redis.call('XACK', this.key, this.#group, ...ids))
  }

  async #ask(
    command: (redis: Redis) => Promise<unknown>,
    connection = this.#commands,
  ): Promise<unknown> {
    try {
      return await command(connection.redis)
    } catch (error) {
      throw failureOf(error, this.key, connection.brokenBy)
    }
  }
}

async function unlessNoKey(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer
  } catch (error) {
    if ((error as Error).message === 'ERR no such key') return undefined
    throw error
  }
}

/** Maps come as lists of names and values. */
function membersOf(answer: unknown): ReadonlyMap<string, unknown> {
  const list = answer as unknown[]
  const members = new Map<string, unknown>()
  for (let index = 0; index < list.length; index += 2) {
    members.set(String(list[index]), list[index + 1])
  }
  return members
}

function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 ? value : undefined
}

function entriesOf(answer: unknown): readonly Entry[] {
  return (answer as [Buffer, Buffer[]][]).map(([id, list]) => {
    const fields: { name: string; value: Buffer }[] = []
    for (let index = 0; index + 1 < list.length; index += 2) {
      fields.push({ name: String(list[index]), value: list[index + 1] as Buffer })
    }
    return { id: String(id), fields }
  })
}
