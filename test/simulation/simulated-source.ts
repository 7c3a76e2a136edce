/**
 * Partitions that are read, and requests that are sent, into one stream of a store, by several readers and
 * senders at once who know nothing of each other, over the lives and deaths of the processes they are in.
 */
import type { Clock } from '../../src/base/clock.ts'
import { AppendError } from '../../src/batch-store.ts'
import type { AppendTarget, BatchStore } from '../../src/batch-store.ts'
import { PositionMoved } from '../../src/chunk-origin.ts'
import { chunkOf, withMetadata } from '../../src/chunk.ts'
import type { Chance } from './chance.ts'

const RECORDS_MAX = 5
const FILL_MAX = 80
/** Two and more of a partition: all but one are zombies, whichever that is. */
const READERS = { a: 1, b: 2, c: 3 } as const

export interface SourceTools {
  readonly store: BatchStore
  readonly clock: Clock
  readonly signal: AbortSignal
}

interface Partition {
  readonly name: string
  /** Some reader has tried to append the records below this. */
  attempted: number
  /** Some reader was told that the records below this are taken over. */
  acknowledged: number
}

interface Request {
  readonly id: string
  isAnswered: boolean
}

/** How far a reader has come. */
interface Place {
  sequence: number
  index: number
}

export interface SimulatedSourceOptions {
  readonly target: AppendTarget
  readonly chance: Chance
  readonly note: (text: string) => void
}

export class SimulatedSource {
  readonly violations: string[] = []
  acknowledgedCount = 0
  readonly #options: SimulatedSourceOptions
  readonly #partitions: readonly Partition[]
  readonly #requests: Request[] = []

  constructor(options: SimulatedSourceOptions) {
    this.#options = options
    this.#partitions = Object.keys(READERS).map((name) => ({
      name,
      attempted: 0,
      acknowledged: 0,
    }))
  }

  get streamId(): string {
    return this.#options.target.streamId
  }

  /** Reads and sends until the signal aborts. */
  async run(tools: SourceTools): Promise<void> {
    const readers = this.#partitions.flatMap((partition) =>
      Array.from({ length: READERS[partition.name as keyof typeof READERS] }, () =>
        this.#read(partition, tools, Infinity),
      ),
    )
    await Promise.all([...readers, this.#send(tools), this.#send(tools)])
  }

  /** Reads what anybody has ever tried to append, and repeats what was not answered. */
  async finish(tools: SourceTools): Promise<void> {
    await Promise.all(
      this.#partitions.map((partition) => this.#read(partition, tools, partition.attempted)),
    )
    for (const request of this.#requests) {
      while (!request.isAnswered) await this.#request(request, tools)
    }
  }

  /** What is wrong with the records that are at the destination when all is over. */
  violationsIn(delivered: readonly string[]): string[] {
    const counts = new Map<string, number>()
    for (const text of delivered) counts.set(text, (counts.get(text) ?? 0) + 1)
    const doubled = [...counts].filter(([, count]) => count > 1).map(([text]) => text)
    const expected = [
      ...this.#partitions.flatMap(({ name, acknowledged }) =>
        Array.from({ length: acknowledged }, (_, index) => this.#text(name, index)),
      ),
      ...this.#requests.map(({ id }) => id),
    ]
    return [
      ...this.violations,
      ...doubled.map((text) => `record ${text} is doubled`),
      ...expected.filter((text) => !counts.has(text)).map((text) => `record ${text} is lost`),
    ]
  }

  async #read(partition: Partition, tools: SourceTools, to: number): Promise<void> {
    const { clock, signal } = tools
    while (!signal.aborted) {
      const place = await this.#open(partition, tools)
      if (place !== undefined && (await this.#readOn(partition, place, tools, to))) return
      await clock.sleep(this.#options.chance.between(1, 80), signal)
    }
  }

  /** False when it is not known any more how far the partition is read. */
  async #readOn(
    partition: Partition,
    place: Place,
    tools: SourceTools,
    to: number,
  ): Promise<boolean> {
    const { clock, signal } = tools
    while (!signal.aborted && place.index < to) {
      if (!(await this.#append(partition, place, tools))) return false
      await clock.sleep(this.#options.chance.between(1, 80), signal)
    }
    return true
  }

  /** Where reading goes on; undefined when that can't be told now. */
  async #open(partition: Partition, { store }: SourceTools): Promise<Place | undefined> {
    // Before it is asked: others go on meanwhile.
    const { acknowledged } = partition
    const positions = await store.positions(this.streamId).catch(() => undefined)
    if (positions === undefined) return undefined
    const found = positions.find((position) => position.partition === partition.name)
    const place = { sequence: found?.sequence ?? 0, index: Number(found?.position ?? 0) }
    if (place.index < acknowledged) {
      this.violations.push(
        `${this.streamId} ${partition.name} went back to ${place.index} from ${acknowledged}`,
      )
    }
    return place
  }

  /**
   * One chunk, and the next only when it is taken over: else, when another reader comes first, the next
   * would be in its turn and begin where that reader did not end. False when it is not known any more how
   * far the partition is read.
   */
  async #append(
    partition: Partition,
    place: Place,
    { store, clock }: SourceTools,
  ): Promise<boolean> {
    const { target, chance, note } = this.#options
    const { name } = partition
    const sequence = place.sequence + 1
    const from = place.index
    const to = from + chance.integer(1, RECORDS_MAX)
    partition.attempted = Math.max(partition.attempted, to)
    const texts = Array.from({ length: to - from }, (_, offset) => this.#text(name, from + offset))
    const bytes = texts.map((text) => Buffer.from(text))
    const metadata = texts.map((text) => ({ told: text }))
    const told = withMetadata(chunkOf(bytes, clock.nowMs()), metadata)
    const origin = { partition: name, sequence, position: String(to) }
    try {
      await store.append(target, { ...told, origin })
      partition.acknowledged = Math.max(partition.acknowledged, to)
      this.acknowledgedCount += 1
      note(`${this.streamId} ${name} ${sequence} taken over up to ${to}`)
      Object.assign(place, { sequence, index: to })
      return true
    } catch (error) {
      if (error instanceof PositionMoved) return false
      if (!(error instanceof AppendError)) throw error
      // What was refused may as well be tried again from where it was.
      return chance.happens(0.5)
    }
  }

  /** New requests, and now and then old ones, answered or not. */
  async #send(tools: SourceTools): Promise<void> {
    const { chance } = this.#options
    while (!tools.signal.aborted) {
      const isOld = chance.happens(0.4)
      const old = this.#requests[chance.integer(0, this.#requests.length)]
      if (!isOld || old === undefined) {
        const id = `${this.streamId} request ${this.#requests.length}`
        this.#requests.push({ id, isAnswered: false })
      }
      const request = isOld && old !== undefined ? old : this.#requests.at(-1)
      if (request !== undefined) await this.#request(request, tools)
    }
  }

  async #request(request: Request, { store, clock, signal }: SourceTools): Promise<void> {
    const { target, chance } = this.#options
    const { id } = request
    const origin = { partition: id, sequence: 1, position: '', passing: true } as const
    try {
      await store.append(target, { ...chunkOf([Buffer.from(id)], clock.nowMs()), origin })
      request.isAnswered = true
    } catch (error) {
      if (error instanceof PositionMoved) request.isAnswered = true
      else if (!(error instanceof AppendError)) throw error
    }
    await clock.sleep(chance.between(1, 150), signal)
  }

  #text(partition: string, index: number): string {
    // The same whenever it is read.
    return `${this.streamId} ${partition} ${index}${'.'.repeat((index * 37) % FILL_MAX)}`
  }
}
