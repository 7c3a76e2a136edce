/**
 * A store on a machine, and sources that are read into it, from one seed: lives that end by crash or loss
 * of power under the disk's faults, and a last one in peace. What is sealed is delivered at once to a
 * place outside which knows batches by their ids; that is all that is here of the pipeline.
 */
import type { Logger } from '../../src/base/logger.ts'
import type { BatchId, SealedBatch } from '../../src/batch.ts'
import type { BatchStore } from '../../src/batch-store.ts'
import { chunkMetadata, recordsOf } from '../../src/chunk.ts'
import { BatchFiles } from '../../src/embedded/batch-files.ts'
import type { FileSystem } from '../../src/embedded/file-system.ts'
import { StagedBytes } from '../../src/embedded/staged-bytes.ts'
import { Chance } from './chance.ts'
import { drawFaults } from './faults.ts'
import { Scheduler } from './scheduler.ts'
import { NO_DISK_FAULTS, SimulatedDisk } from './simulated-file-system.ts'
import type { DiskFaults } from './simulated-file-system.ts'
import { SimulatedSource } from './simulated-source.ts'
import { Trace } from './trace.ts'
import { virtualClock, WallClock } from './virtual-clock.ts'
import type { Outcome } from './world.ts'

const LIVES_MAX = 6
/** Some processes don't come further than recovery. */
const STEPS_MAX = [150, 400] as const
const LIFE_MS_MAX = 20_000
const FINISHED_WITHIN_MS = 300_000
const SEAL_EACH_MS = 100
const DELIVER_AGAIN_MS = 200
const CAPACITY_BYTES = 400_000
const LIMITS = { quotaBytes: 300_000, freeBytesMin: 10_000, batchesMax: 60 }
const TARGET = { sizeBytesMax: 500, ageMsMax: 300 }
/** One fault comes upon another. */
const DYING_DISK: DiskFaults = { write: 0.1, datasync: 0.2, other: 0.1, takenBytes: 0 }
const DATA_KEY = { plain: Buffer.alloc(32, 7), wrapped: 'key' }

export interface SourceBug {
  readonly fileSystem?: (real: FileSystem) => FileSystem
  /** Changes the store's code for as long as the simulation runs; returns what changes it back. */
  readonly plant?: () => () => void
}

export interface SourceSimulationOptions {
  readonly seed: number
  readonly bug?: SourceBug
  readonly echo?: boolean
}

/** One process. */
interface Life {
  alive: boolean
  failure?: unknown
  store?: BatchStore
  readonly stopping: AbortController
}

export async function simulateSources(options: SourceSimulationOptions): Promise<Outcome> {
  const undo = options.bug?.plant?.()
  try {
    return await new SourceWorld(options).run()
  } finally {
    undo?.()
  }
}

class SourceWorld {
  readonly #options: SourceSimulationOptions
  readonly #chance: Chance
  readonly #trace: Trace
  readonly #scheduler: Scheduler
  readonly #wallClock = new WallClock()
  readonly #disk: SimulatedDisk
  readonly #sources: readonly SimulatedSource[]
  readonly #delivered = new Map<BatchId, readonly string[]>()
  readonly #failures: string[] = []

  constructor(options: SourceSimulationOptions) {
    const { seed, echo } = options
    this.#options = options
    this.#chance = new Chance(seed, 'world')
    this.#trace = new Trace(echo)
    this.#scheduler = new Scheduler(this.#trace)
    this.#disk = new SimulatedDisk({
      scheduler: this.#scheduler,
      chance: new Chance(seed, 'disk'),
      capacityBytes: CAPACITY_BYTES,
    })
    const targets = [
      { ...TARGET, streamId: 'plain' },
      { ...TARGET, streamId: 'encrypted', dataKey: DATA_KEY },
    ]
    this.#sources = targets.map(
      (target) =>
        new SimulatedSource({
          target,
          chance: new Chance(seed, target.streamId),
          note: (text) => this.#note(text),
        }),
    )
  }

  async run(): Promise<Outcome> {
    const lives = this.#chance.integer(1, LIVES_MAX)
    for (let life = 0; life < lives; life += 1) await this.#liveAndDie()
    await this.#liveInPeace()
    const delivered = [...this.#delivered.values()].flat()
    return {
      seed: this.#options.seed,
      violations: [
        ...this.#failures,
        ...this.#sources.flatMap((source) => {
          const texts = delivered.filter((text) => text.startsWith(`${source.streamId} `))
          return source.violationsIn(texts)
        }),
      ],
      traceHash: this.#trace.hash,
      trace: this.#trace.latest(),
      stepCount: this.#scheduler.stepCount,
      acknowledgedCount: this.#sources.reduce((sum, each) => sum + each.acknowledgedCount, 0),
    }
  }

  async #liveAndDie(): Promise<void> {
    const chance = this.#chance
    const lastStep = this.#scheduler.stepCount + chance.integer(1, chance.pick(STEPS_MAX))
    const isDying = chance.happens(0.3)
    this.#disk.faults = isDying ? DYING_DISK : drawFaults(chance, CAPACITY_BYTES).disk
    const life = this.#start((source, tools) => source.run(tools))
    await this.#scheduler.runUntil(
      () => life.failure !== undefined || this.#scheduler.stepCount >= lastStep,
      this.#scheduler.nowMs + LIFE_MS_MAX,
    )
    life.alive = false
    if (chance.happens(0.5)) {
      this.#note('the process is killed')
      this.#disk.afterProcessCrash()
    } else {
      this.#note('the power is lost')
      this.#disk.afterPowerLoss()
    }
  }

  /** All that was ever begun is finished, and delivered. */
  async #liveInPeace(): Promise<void> {
    this.#disk.faults = NO_DISK_FAULTS
    let finishedCount = 0
    const life = this.#start(async (source, tools) => {
      await source.finish(tools)
      await tools.store.seal(source.streamId, 'drain')
      finishedCount += 1
    })
    const isOver = await this.#scheduler.runUntil(
      () =>
        life.failure !== undefined ||
        (finishedCount === this.#sources.length && life.store?.usage().batchCount === 0),
      this.#scheduler.nowMs + FINISHED_WITHIN_MS,
    )
    life.alive = false
    if (life.failure !== undefined) this.#failures.push(`the last process failed: ${textOf(life)}`)
    else if (!isOver) this.#failures.push('the last process does not come to an end')
  }

  #start(
    run: (source: SimulatedSource, tools: Parameters<SimulatedSource['run']>[0]) => Promise<void>,
  ): Life {
    this.#note('a process starts')
    const life: Life = { alive: true, stopping: new AbortController() }
    const seed = this.#options.seed + this.#scheduler.stepCount
    const chance = new Chance(seed, 'process')
    const clock = virtualClock(this.#scheduler, this.#wallClock, chance, life)
    const fail = (error: unknown): void => {
      life.failure ??= error
    }
    const mounted = this.#disk.mount(life)
    const fileSystem = this.#options.bug?.fileSystem?.(mounted) ?? mounted
    const { signal } = life.stopping
    const live = async (): Promise<void> => {
      const deliver = (batch: SealedBatch): void => {
        void this.#deliver(batch, life).catch(fail)
      }
      await fileSystem.makeDirectory('/data')
      const store = await BatchFiles.open({
        dataDirectory: '/data',
        fileSystem,
        keyRing: { unwrap: () => DATA_KEY.plain },
        clock,
        logger: this.#logger(),
        limits: LIMITS,
        stagedBytes: new StagedBytes(),
        onSealed: deliver,
      })
      life.store = store
      for await (const batch of store.list()) deliver(batch)
      const seal = async (): Promise<void> => {
        for (;;) {
          await store.sealDue(clock.monotonicMs())
          await clock.sleep(SEAL_EACH_MS)
        }
      }
      const tools = { store, clock, signal }
      await Promise.all([seal(), ...this.#sources.map((source) => run(source, tools))])
    }
    live().catch(fail)
    return life
  }

  async #deliver(batch: SealedBatch, life: Life): Promise<void> {
    const { store } = life
    // What is sealed while the store opens is in its list.
    if (store === undefined) return
    try {
      const texts: string[] = []
      const reading = store.read(batch)
      for await (const chunk of reading) {
        const chunkTexts = [...recordsOf(chunk)].map(String)
        const told = chunkMetadata(chunk)
        const expected = chunkTexts.map((text) => ({ told: text }))
        if (told !== undefined && JSON.stringify(told) !== JSON.stringify(expected)) {
          this.#failures.push(`batch ${batch.batchId} tells ${JSON.stringify(told)}`)
        }
        texts.push(...chunkTexts)
      }
      if (reading.quarantinedCount > 0) this.#failures.push(`${batch.batchId} is damaged`)
      const before = this.#delivered.get(batch.batchId)
      if (before !== undefined && before.join() !== texts.join()) {
        this.#failures.push(`batch ${batch.batchId} is another than was delivered`)
      }
      this.#delivered.set(batch.batchId, texts)
      await store.remove(batch)
    } catch {
      this.#scheduler.after(DELIVER_AGAIN_MS, life, 'delivered again', () => {
        void this.#deliver(batch, life)
      })
    }
  }

  #note(text: string): void {
    this.#trace.note(this.#scheduler.nowMs, text)
  }

  #logger(): Logger {
    const log = (fields: object, message: string): void => {
      const { error } = fields as { error?: unknown }
      this.#note(`${message} ${error instanceof Error ? error.message : ''}`)
    }
    return { debug() {}, info: log, warn: log, error: log }
  }
}

function textOf({ failure }: Life): string {
  return failure instanceof Error ? (failure.stack ?? failure.message) : String(failure)
}
