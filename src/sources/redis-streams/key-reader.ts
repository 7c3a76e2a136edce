/**
 * Reads one key. Two things tell how far it is read: the position in the store, which counts, and the
 * group in Redis, which says what is new. They part whenever a reader dies, sleeps, or Redis forgets:
 *
 *   pending, at or below the position    was taken over; it is acknowledged
 *   above the position, delivered        somebody got it and did not take it over: it is read with XRANGE,
 *                                        pending or not, in order, before anything new
 *   given by the group, out of turn      a reader that nobody waits for any more got what lies between:
 *                                        everything is looked at anew
 *   group behind the position            what it gives up to there is only acknowledged
 *   no group                             it is made where the position is
 *
 * So positions rise, and nothing below one is left out. Entries that are not in the stream any more when
 * their turn comes are told as a gap.
 */
import { backoffMs } from '../../base/backoff.ts'
import type { Clock } from '../../base/clock.ts'
import { PositionMoved } from '../../chunk-origin.ts'
import { SourceError } from '../../source.ts'
import type { SourceHost, SourcePartition } from '../../source.ts'
import type { ConsumerGroup, GroupFacts } from './consumer-group.ts'
import { EntryCount } from './entry-count.ts'
import type { StreamFacts } from './entry-count.ts'
import { compareIds, earlierId, ID_MIN, idMs, laterId } from './entry-id.ts'
import { recordOf } from './entry-record.ts'
import type { Entry, RecordFormat } from './entry-record.ts'
import { ReadSize } from './read-size.ts'
import { concernsAll, GroupGone } from './redis-failure.ts'

/** A connection that does not answer for a multiple of it is broken. */
const WAIT_MS = 2_000
/** How often the stream's ends are looked at: for the lag, and for what went. */
const LOOK_MS = 1_000
const RETRY = { firstMs: 200, maxMs: 30_000 }

export interface KeyReaderOptions {
  readonly host: SourceHost
  readonly group: ConsumerGroup
  /** The entry after it is read first, unless the group was given more, or less, before. */
  readonly startId: string
  readonly format: RecordFormat
  readonly readBytesMax: number
  readonly clock: Clock
}

export class KeyReader {
  readonly #options: KeyReaderOptions
  readonly #size: ReadSize
  readonly #count = new EntryCount()
  #lookedAtMs = -Infinity

  constructor(options: KeyReaderOptions) {
    this.#options = options
    this.#size = new ReadSize(options.readBytesMax)
  }

  /**
   * Until the signal aborts.
   * @throws SourceError of what concerns other keys as well, and what the host throws
   */
  async run(signal: AbortSignal): Promise<void> {
    const { host, group, clock } = this.#options
    let failureCount = 0
    while (!signal.aborted) {
      try {
        const [partition] = await host.open([group.key])
        if (partition === undefined) throw new Error(`Cannot read ${group.key}: it was not opened`)
        const reading = await this.#settle(partition, signal)
        failureCount = 0
        await this.#follow(reading, signal)
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof PositionMoved || error instanceof GroupGone) continue
        if (!(error instanceof SourceError) || concernsAll(error)) throw error
        host.failed(error, group.key)
        failureCount += 1
        await clock.sleep(backoffMs(RETRY, failureCount, clock), signal)
      }
    }
  }

  /** Brings group and position together. */
  async #settle(partition: SourcePartition, signal: AbortSignal): Promise<Reading> {
    const { group, startId } = this.#options
    const found = await group.groupFacts()
    const { lastDeliveredId, readCount } = found ?? (await this.#make(partition))
    const place = laterId(partition.position ?? ID_MIN, earlierId(startId, lastDeliveredId))
    const reading: Reading = { partition, place }

    await this.#takePending(reading, signal)
    await group.removeIdleConsumers()
    while (compareIds(reading.place, lastDeliveredId) < 0) {
      const entries = await this.#range(reading.place, lastDeliveredId, signal)
      if (entries.length === 0) break
      await this.#take(reading, entries, signal)
    }
    // All that the group was given is passed now, there or not: the server's count is ours, unless the
    // group is behind. A group that was made just now has none, and ours goes on.
    const isBehind = compareIds(lastDeliveredId, place) < 0
    reading.place = laterId(reading.place, lastDeliveredId)
    if (found !== undefined) this.#count.reset(isBehind ? undefined : readCount)
    await this.#look(reading)
    return reading
  }

  async #make({ position }: SourcePartition): Promise<GroupFacts> {
    const { host, group, startId } = this.#options
    const lastDeliveredId = laterId(position ?? ID_MIN, startId)
    const stream = await group.streamFacts()
    await group.create(lastDeliveredId)
    if (position !== undefined && this.#count.passed === undefined && isUnknown(stream, position)) {
      const message = 'The group was gone, and nothing of what was read before is in the stream'
      host.gap(group.key, undefined, message)
    }
    return { lastDeliveredId, readCount: undefined }
  }

  /** What others, or this consumer before, were given and have not acknowledged. */
  async #takePending(reading: Reading, signal: AbortSignal): Promise<void> {
    const { host, group } = this.#options
    let lostCount = 0
    for (let next: string | undefined = ID_MIN; next !== undefined;) {
      const page = await group.claim(next)
      const position = reading.partition.position ?? ID_MIN
      lostCount += page.goneIds.filter((id) => compareIds(id, position) > 0).length
      const taken = page.ids.filter((id) => compareIds(id, position) <= 0)
      await group.acknowledge(taken)
      // Pending from before the start: of a group that is gone on with.
      const early = page.ids.slice(taken.length)
      for (const id of early.filter((one) => compareIds(one, reading.place) <= 0)) {
        await host.admit(signal)
        await this.#take(reading, await group.range(id, id, 1), signal)
      }
      next = page.next
    }
    if (lostCount > 0) host.gap(group.key, lostCount, 'Entries went after they were delivered')
  }

  /** Until a reader got something out of turn. */
  async #follow(reading: Reading, signal: AbortSignal): Promise<void> {
    const { host, group, clock } = this.#options
    for (;;) {
      signal.throwIfAborted()
      await host.admit(signal)
      const entries = await group.readNew(this.#size.count, WAIT_MS)
      this.#size.learn(entries)
      const fresh = entries.filter(({ id }) => compareIds(id, reading.place) > 0)
      const [first] = fresh
      if (first !== undefined) {
        const between = await group.range(`(${reading.place}`, `(${first.id}`, 1)
        if (between.length > 0) return
      }
      await this.#take(reading, fresh, signal)
      if (fresh.length < entries.length) await group.acknowledge(entries.map(({ id }) => id))
      if (clock.monotonicMs() >= this.#lookedAtMs + LOOK_MS) await this.#look(reading)
    }
  }

  async #range(place: string, upTo: string, signal: AbortSignal): Promise<readonly Entry[]> {
    const { host, group } = this.#options
    await host.admit(signal)
    const entries = await group.range(`(${place}`, upTo, this.#size.count)
    this.#size.learn(entries)
    return entries
  }

  async #take(reading: Reading, entries: readonly Entry[], signal: AbortSignal): Promise<void> {
    const { host, group, format } = this.#options
    const last = entries.at(-1)
    if (last === undefined) return
    const options = { format, ...(host.wantsMetadata && { metadataOfKey: group.key }) }
    const records = entries.map((entry) => recordOf(entry, options))
    await reading.partition.append(records, signal)
    reading.place = laterId(reading.place, last.id)
    this.#count.read(entries.length)
    await group.acknowledge(entries.map(({ id }) => id))
  }

  /** How far behind it is, and whether something went. */
  async #look({ place }: Reading): Promise<void> {
    const { host, group, clock } = this.#options
    this.#lookedAtMs = clock.monotonicMs()
    const stream = await group.streamFacts()
    if (stream === undefined) throw new GroupGone(`Cannot read ${group.key}: it was removed`)
    const shortfall = this.#count.compare(stream, place)
    if (shortfall !== undefined) await this.#tellGap(shortfall.lostCount, place)
    const lagCount = this.#count.lag(stream, place)
    host.progress(group.key, {
      behindLatestMs: Math.max(0, idMs(stream.lastId) - idMs(place)),
      ...(lagCount !== undefined && { lagCount }),
    })
  }

  async #tellGap(lostCount: number | undefined, place: string): Promise<void> {
    const { host, group } = this.#options
    const message =
      lostCount === undefined
        ? 'The stream was made anew; what it had before may not have been read'
        : 'Entries went before they were read, or were added below what was read'
    host.gap(group.key, lostCount, message)
    const { passed } = this.#count
    if (passed !== undefined) await group.correctReadCount(place, passed)
  }
}

interface Reading {
  readonly partition: SourcePartition
  /** All that is read comes after it: the position, and before there is one, where reading began. */
  place: string
}

/** Nothing in the stream is from before the position. */
function isUnknown(stream: StreamFacts | undefined, position: string): boolean {
  return stream?.firstId === undefined || compareIds(stream.firstId, position) > 0
}
