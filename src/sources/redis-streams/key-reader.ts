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
 *   group ahead of the stream's end      it is set back, or it would give nobody what comes up to there
 *   no group                             it is made where the position is
 *
 * So positions rise, and nothing below one is left out. Entries that are not in the stream any more when
 * their turn comes are told as a gap; and so is it when Redis has gone back, a master replaced by a replica
 * that had less, say: entries that are added then with ids up to the position are taken for known ones.
 */
import { backoffMs } from '../../base/backoff.ts'
import type { Clock } from '../../base/clock.ts'
import { PositionMoved } from '../../chunk-origin.ts'
import { SourceError } from '../../source.ts'
import type { SourceHost, SourcePartition } from '../../source.ts'
import { ReadSize } from '../read-size.ts'
import type { ConsumerGroup, GroupFacts } from './consumer-group.ts'
import { behindLatestMs, EntryCount } from './entry-count.ts'
import type { StreamFacts } from './entry-count.ts'
import { compareIds, earlierId, ID_MIN, laterId } from './entry-id.ts'
import { entryBytes, recordOf } from './entry-record.ts'
import type { Entry, RecordFormat } from './entry-record.ts'
import { concernsAll, GroupGone } from './redis-failure.ts'

/** A connection that does not answer for a multiple of it is broken. */
const WAIT_MS = 2_000
/** How often the stream's ends are looked at: for the lag, and for what went. */
const LOOK_MS = 1_000
/** Of one answer: entries of a mebibyte make it one of 32 MiB before it is known that they are large. */
const ENTRIES_MAX = 32
/** Answers that are appended together. */
const ANSWERS_MAX = 32
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
    this.#size = new ReadSize(options.readBytesMax, ENTRIES_MAX)
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
    const { position } = partition
    const found = await group.groupFacts()
    const { lastDeliveredId, readCount } = found ?? (await this.#make(partition))
    const stream = await this.#streamFacts()
    if (position !== undefined && (found === undefined || isBefore(lastDeliveredId, position))) {
      await this.#tellIfForgotten(stream, position)
    }

    const place = laterId(position ?? ID_MIN, earlierId(startId, lastDeliveredId))
    const isAhead = isBefore(place, lastDeliveredId) && isBefore(stream.lastId, lastDeliveredId)
    if (isAhead) await group.set(place)
    const givenId = isAhead ? place : lastDeliveredId
    const reading: Reading = { partition, place }

    await this.#takePending(reading, signal)
    await group.removeIdleConsumers()
    while (isBefore(reading.place, givenId)) {
      const entries = await this.#range(reading.place, givenId, signal)
      if (entries.length === 0) break
      await this.#take(reading, entries, signal)
    }
    // All that the group was given is passed now, there or not: the server's count is ours, unless the
    // group was elsewhere. A group that was made just now has none, and ours goes on.
    reading.place = laterId(reading.place, givenId)
    const isElsewhere = isAhead || isBefore(lastDeliveredId, place)
    if (found !== undefined) this.#count.reset(isElsewhere ? undefined : readCount, place)
    await this.#look(reading)
    return reading
  }

  async #make({ position }: SourcePartition): Promise<GroupFacts> {
    const { group, startId } = this.#options
    const lastDeliveredId = laterId(position ?? ID_MIN, startId)
    await group.create(lastDeliveredId)
    return { lastDeliveredId, readCount: undefined }
  }

  /** The group does not know that it has given the entry at the position; the stream may know of it. */
  async #tellIfForgotten(stream: StreamFacts, position: string): Promise<void> {
    const { host, group } = this.#options
    if (!isBefore(stream.lastId, position)) {
      // Then the count tells.
      if (this.#count.passed !== undefined) return
      const isThere = (await group.range(position, position, 1)).length > 0
      const wasDeleted = stream.deletedId !== undefined && !isBefore(stream.deletedId, position)
      if (isThere || wasDeleted) return
    }
    const message = `Redis knows nothing of what was read up to ${position}: what it had may not have been read, and what is added up to there is not`
    host.gap(group.key, undefined, message)
    this.#count.reset(undefined, position)
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

  /** Until a reader got something out of turn, or the group was set elsewhere. */
  async #follow(reading: Reading, signal: AbortSignal): Promise<void> {
    const { host, group, clock } = this.#options
    for (;;) {
      signal.throwIfAborted()
      await host.admit(signal)
      const answers = await this.#readNew()
      const entries = answers.flat()
      if (entries.length === 0 && (await this.#isPassedBy(reading))) return
      const { place } = reading
      const fresh = answers.map((answer) => answer.filter(({ id }) => isBefore(place, id)))
      if (await this.#leftOut(reading, fresh)) return
      await this.#take(reading, fresh.flat(), signal)
      const known = entries.filter(({ id }) => !isBefore(place, id))
      await group.acknowledge(known.map(({ id }) => id))
      if (clock.monotonicMs() >= this.#lookedAtMs + LOOK_MS) await this.#look(reading)
    }
  }

  /** What the group has given nobody yet, answer by answer: waits for the first, not for more. */
  async #readNew(): Promise<readonly (readonly Entry[])[]> {
    const { group, readBytesMax } = this.#options
    const answers: (readonly Entry[])[] = []
    let bytes = 0
    let isMore = true
    while (isMore) {
      const countMax = this.#size.count
      const entries = await group.readNew(countMax, answers.length === 0 ? WAIT_MS : undefined)
      const sizes = entries.map(entryBytes)
      this.#size.learn(sizes)
      bytes += sizes.reduce((sum, size) => sum + size, 0)
      answers.push(entries)
      isMore = entries.length === countMax && bytes < readBytesMax && answers.length < ANSWERS_MAX
    }
    return answers
  }

  /** Whether the group has given to others what comes next here, or says so. */
  async #isPassedBy({ place }: Reading): Promise<boolean> {
    const facts = await this.#options.group.groupFacts()
    return facts !== undefined && isBefore(place, facts.lastDeliveredId)
  }

  /** Whether there is something before one of the answers that neither we have, nor the answer before. */
  async #leftOut({ place }: Reading, answers: readonly (readonly Entry[])[]): Promise<boolean> {
    const { group } = this.#options
    let lastId = place
    const looks: Promise<readonly Entry[]>[] = []
    for (const answer of answers) {
      const [first] = answer
      if (first === undefined) continue
      looks.push(group.range(`(${lastId}`, `(${first.id}`, 1))
      lastId = answer.at(-1)?.id ?? lastId
    }
    const between = await Promise.all(looks)
    return between.some((entries) => entries.length > 0)
  }

  async #range(place: string, upTo: string, signal: AbortSignal): Promise<readonly Entry[]> {
    const { host, group } = this.#options
    await host.admit(signal)
    const entries = await group.range(`(${place}`, upTo, this.#size.count)
    this.#size.learn(entries.map(entryBytes))
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
    const stream = await this.#streamFacts()
    const shortfall = this.#count.compare(stream, place)
    if (shortfall !== undefined) await this.#tellGap(shortfall.lostCount, place)
    const lagCount = this.#count.lag(stream, place)
    host.progress(group.key, {
      behindLatestMs: behindLatestMs(stream, place),
      ...(lagCount !== undefined && { lagCount }),
    })
  }

  async #streamFacts(): Promise<StreamFacts> {
    const { group } = this.#options
    const stream = await group.streamFacts()
    if (stream === undefined) throw new GroupGone(`Cannot read ${group.key}: it was removed`)
    return stream
  }

  async #tellGap(lostCount: number | undefined, place: string): Promise<void> {
    const { host, group } = this.#options
    const message =
      lostCount === undefined
        ? 'The stream was made anew; what it had before may not have been read'
        : 'Entries went before they were read, or were added below what was read'
    host.gap(group.key, lostCount, message)
    const { passed } = this.#count
    if (passed !== undefined) await group.set(place, passed)
  }
}

interface Reading {
  readonly partition: SourcePartition
  /** All that is read comes after it: the position, and before there is one, where reading began. */
  place: string
}

function isBefore(first: string, second: string): boolean {
  return compareIds(first, second) < 0
}
