/** A SourceHost in memory, for tests of sources: it keeps what is appended, and what it was told. */
import { PositionMoved } from '../../src/chunk-origin.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type {
  PartitionProgress,
  SourceError,
  SourceHost,
  SourcePartition,
  SourceRecord,
} from '../../src/source.ts'

/** What all hosts of one stream have in common, also over "restarts" of a source. */
export class FakeTakeover {
  /** In the order in which they were taken over. */
  readonly records: (SourceRecord & { readonly partition: string })[] = []
  readonly positions = new Map<string, { sequence: number; position: string }>()
  readonly leases = new Map<string, FakeSourceHost>()
  readonly hosts = new Set<FakeSourceHost>()
}

export class FakeSourceHost implements SourceHost {
  readonly stream: DeliveryStream
  readonly wantsMetadata: boolean
  readonly leaseRenewMs = 50
  readonly progressOf = new Map<string, PartitionProgress>()
  readonly gaps: { partition: string; lostCount: number | undefined; message: string }[] = []
  readonly failures: { error: SourceError; partition: string | undefined }[] = []
  readonly throttledOperations: string[] = []
  /** What `admit` waits for. */
  admission: Promise<void> = Promise.resolve()
  /** Called before records are taken over; may throw, or wait. */
  beforeAppend: (partition: string, records: readonly SourceRecord[]) => void | Promise<void> =
    () => {}
  readonly #takeover: FakeTakeover
  readonly #watchers = new Set<() => void>()

  constructor(
    stream: DeliveryStream,
    takeover: FakeTakeover = new FakeTakeover(),
    wantsMetadata = false,
  ) {
    this.stream = stream
    this.wantsMetadata = wantsMetadata
    this.#takeover = takeover
  }

  get records(): FakeTakeover['records'] {
    return this.#takeover.records
  }

  /** Resolves when the condition holds; it is looked at whenever the host is told something. */
  async until(condition: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = (): void => {
      if (condition()) resolve()
    }
    this.#watchers.add(look)
    look()
    await promise
    this.#watchers.delete(look)
  }

  open(partitions: readonly string[]): Promise<readonly SourcePartition[]> {
    return Promise.resolve(partitions.map((partition) => this.#partition(partition)))
  }

  renewLeases(partitions: readonly string[]): Promise<readonly string[]> {
    const { leases, hosts } = this.#takeover
    hosts.add(this)
    const share = Math.ceil(partitions.length / hosts.size)
    const held = partitions.filter((partition) => leases.get(partition) === this)
    for (const [partition, host] of leases) if (host === this) leases.delete(partition)
    const free = partitions.filter(
      (partition) => !leases.has(partition) && !held.includes(partition),
    )
    const mine = [...held, ...free].slice(0, share)
    for (const partition of mine) leases.set(partition, this)
    return Promise.resolve(mine)
  }

  /** What the runner does when the run has ended. */
  releaseLeases(): void {
    this.#takeover.hosts.delete(this)
    for (const [partition, host] of this.#takeover.leases) {
      if (host === this) this.#takeover.leases.delete(partition)
    }
  }

  admit(): Promise<void> {
    return this.admission
  }

  progress(partition: string, progress: PartitionProgress): void {
    this.progressOf.set(partition, progress)
    this.#tell()
  }

  ended(partition: string): void {
    this.progressOf.delete(partition)
    this.#tell()
  }

  gap(partition: string, lostCount: number | undefined, message: string): void {
    this.gaps.push({ partition, lostCount, message })
    this.#tell()
  }

  failed(error: SourceError, partition?: string): void {
    this.failures.push({ error, partition })
    this.#tell()
  }

  throttled(operation: string): void {
    this.throttledOperations.push(operation)
    this.#tell()
  }

  #partition(partition: string): SourcePartition {
    const { positions, records: taken } = this.#takeover
    let { sequence, position } = positions.get(partition) ?? { sequence: 0, position: undefined }
    return {
      partition,
      get position() {
        return position
      },
      append: async (records, signal) => {
        await this.beforeAppend(partition, records)
        signal.throwIfAborted()
        if ((positions.get(partition)?.sequence ?? 0) !== sequence) {
          throw new PositionMoved(`Cannot append to ${partition}: it has gone on`)
        }
        const last = records.at(-1)
        if (last === undefined) return
        sequence += 1
        position = last.position
        positions.set(partition, { sequence, position })
        taken.push(...records.map((record) => ({ ...record, partition })))
        this.#tell()
      },
    }
  }

  #tell(): void {
    for (const look of this.#watchers) look()
  }
}
