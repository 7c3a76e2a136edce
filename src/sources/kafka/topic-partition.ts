/** One partition of a topic while it is read here: from where on, and what becomes of what was fetched. */
import { PositionMoved } from '../../chunk-origin.ts'
import type { SourceError, SourceHost, SourcePartition } from '../../source.ts'
import type { KafkaClient } from './clients.ts'
import type { FetchedPartition } from './fetched-records.ts'
import { readFetched } from './fetched-records.ts'
import { logRange, offsetSince } from './offsets.ts'
import { knownTopicId, parsePosition } from './position.ts'

/** As the cluster tells now. */
export interface TopicState {
  readonly name: string
  /** By which the client asks for it; see knownTopicId. */
  readonly id: string
}

export class TopicPartition {
  readonly number: number
  readonly name: string
  /** Which broker has it; undefined: none. */
  leader: number | undefined
  /** It is being fetched, or what was fetched is being taken over: by one at a time. */
  busy = false
  /** After a failure, in monotonic ms. */
  retryAtMs = 0
  readonly #host: SourceHost
  readonly #client: KafkaClient
  readonly #sinceMs: number
  /** What is shown of it is a failure. */
  #failing = false
  #lagCount = 0
  /** Undefined: to be opened (anew). */
  #taken: SourcePartition | undefined
  #next: bigint | undefined
  #topicId: string | undefined
  #released = false

  /** @param sinceMs from when on it is read if it never was */
  constructor(number: number, host: SourceHost, client: KafkaClient, sinceMs: number) {
    this.number = number
    this.name = String(number)
    this.#host = host
    this.#client = client
    this.#sinceMs = sinceMs
  }

  /** The next offset to be fetched; undefined until it is known. */
  get next(): bigint | undefined {
    return this.#next
  }

  /** What is under way is let go. */
  release(): void {
    this.#released = true
    this.#host.ended(this.name)
  }

  /** The topic was made anew: what is known of it no longer holds. */
  checkTopic({ id }: TopicState): void {
    if (this.#taken !== undefined && this.#topicId !== knownTopicId(id)) this.#forget()
  }

  /** Finds out where it is read on. Our own positions are the truth, not what the group has committed. */
  async open(taken: SourcePartition, topic: TopicState): Promise<void> {
    this.#topicId = knownTopicId(topic.id)
    const next = await this.#firstWanted(taken.position, topic.name)
    this.#taken = taken
    this.#next = next
  }

  async #firstWanted(position: string | undefined, topic: string): Promise<bigint> {
    if (position === undefined) {
      return await offsetSince(this.#client, topic, this.number, this.#sinceMs)
    }
    const { offset, topicId } = parsePosition(position)
    if (topicId === this.#topicId || topicId === undefined || this.#topicId === undefined) {
      return offset + 1n
    }
    const { earliest } = await logRange(this.#client, topic, this.number)
    const message = `The topic was made anew since offset ${offset}: it is read from its first record`
    this.#host.gap(this.name, undefined, message)
    return earliest
  }

  /**
   * Takes over what was fetched.
   * @param from the offset that was asked for
   */
  async take(
    fetched: FetchedPartition & { readonly highWatermark: bigint },
    from: bigint,
    signal: AbortSignal,
  ): Promise<void> {
    const taken = this.#taken
    if (this.#released || taken === undefined || this.#next !== from) return
    const { records, next } = readFetched(fetched, {
      from,
      partition: this.name,
      topicId: this.#topicId,
      wantsMetadata: this.#host.wantsMetadata,
    })
    try {
      if (records.length > 0) await taken.append(records, signal)
    } catch (error) {
      if (!(error instanceof PositionMoved)) throw error
      this.#forget()
      return
    }
    if (this.#released || this.#taken !== taken) return
    this.#next = next
    this.#failing = false
    this.endsAt(fetched.highWatermark)
  }

  /** Where the log ends now, so how far it is still to be read. */
  endsAt(end: bigint | undefined): void {
    if (end === undefined || this.#next === undefined || this.#released) return
    const lag = end - this.#next
    this.#lagCount = Number(lag > 0n ? lag : 0n)
    if (!this.#failing) this.#host.progress(this.name, { lagCount: this.#lagCount })
  }

  /** Something of it failed; it is tried again at `retryAtMs`. */
  failed(error: SourceError, retryAtMs: number): void {
    this.retryAtMs = retryAtMs
    this.#failing = true
    this.#host.failed(error, this.name)
  }

  /** It can be read, also where there is nothing new to be read. */
  mended(): void {
    if (!this.#failing || this.#released) return
    this.#failing = false
    this.#host.progress(this.name, { lagCount: this.#lagCount })
  }

  /**
   * The cluster has nothing at the offset that comes next: finds out what there is, and tells the gap.
   * @returns false when the offset is within what there is, after all
   */
  async leaveRange(topic: TopicState): Promise<boolean> {
    const next = this.#next
    if (next === undefined) return true
    const { earliest, end } = await logRange(this.#client, topic.name, this.number)
    if (this.#next !== next || this.#released) return true
    if (next < earliest) {
      this.#next = earliest
      const message = `Offsets ${next} to ${earliest - 1n} are not kept any more`
      this.#host.gap(this.name, Number(earliest - next), message)
      return true
    }
    if (next <= end) return false
    // With an id it is the same topic, and its log was cut: Kafka has lost records that we have. Without
    // one it is far more likely to have been made anew.
    this.#next = this.#topicId === undefined ? earliest : end
    const message = `The log ends at offset ${end}, before ${next}: it is read on from ${this.#next}`
    this.#host.gap(this.name, undefined, message)
    return true
  }

  #forget(): void {
    this.#taken = undefined
    this.#next = undefined
  }
}
