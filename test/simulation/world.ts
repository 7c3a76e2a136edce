/**
 * A machine, the processes that live and die on it one after the other, and what stands around it,
 * all from one seed:
 *
 *   life ── faults, clients, an operator ──▶ crash, loss of power, or an orderly end ──▶ next life …
 *   last life: no faults, no clients; all is delivered, and the oracle is asked
 */
import { s3 } from '../../destinations/s3/index.ts'
import type { Logger } from '../../src/base/logger.ts'
import type { BatchId, SealedBatch } from '../../src/batch.ts'
import type { QueuedBatch } from '../../src/delivery-queue.ts'
import { batchIdOf, BitRot } from './bit-rot.ts'
import { Chance } from './chance.ts'
import { filesUnder } from './disk.ts'
import type { Engine } from './engine.ts'
import { DATA_DIRECTORY, startEngine } from './engine.ts'
import { drawFaults, NO_FAULTS } from './faults.ts'
import type { Faults } from './faults.ts'
import { violationsIn } from './oracle.ts'
import type { PlantedBug } from './planted-bug.ts'
import { Processings } from './processings.ts'
import { Scheduler } from './scheduler.ts'
import { SimulatedDatabase } from './simulated-catalog.ts'
import { endpointType, indexType } from './simulated-destinations.ts'
import type { Refusals } from './simulated-destinations.ts'
import { SimulatedEndpoint } from './simulated-endpoint.ts'
import { SimulatedFunctions } from './simulated-functions.ts'
import { SimulatedDisk } from './simulated-file-system.ts'
import { SimulatedIndex } from './simulated-index.ts'
import { SimulatedNetwork } from './simulated-network.ts'
import { SimulatedBuckets } from './simulated-object-store.ts'
import { makeStream, RECORD_STREAM_IDS, STREAM_IDS } from './streams.ts'
import { Trace } from './trace.ts'
import { virtualClock, WallClock } from './virtual-clock.ts'
import { Workload } from './workload.ts'

const LIVES_MAX = 4
const STEPS_MAX = 500
/** A life without an end in steps ends here; no put takes so long. */
const LIFE_MS_MAX = 60_000
/** An orderly end that takes longer is a kill. */
const DRAIN_MS_MAX = 30_000
/** All that is left is delivered within this time, once nothing fails any more. */
const DELIVERED_WITHIN_MS = 900_000
const RESUMED_EACH_MS = 20_000
const CAPACITY_BYTES = 250_000
const HOUR_MS = 3_600_000
const DATA_KEY = Buffer.alloc(32, 7)

export interface SimulationOptions {
  readonly seed: number
  readonly bug?: PlantedBug
  /** Bits flip in sealed batches. */
  readonly rot?: boolean
  /** Prints every event. */
  readonly echo?: boolean
}

export interface Outcome {
  readonly seed: number
  readonly violations: readonly string[]
  /** The same for the same seed. */
  readonly traceHash: string
  /** The last events. */
  readonly trace: string
  readonly stepCount: number
  readonly acknowledgedCount: number
}

export async function simulate(options: SimulationOptions): Promise<Outcome> {
  const world = new World(options)
  return world.run()
}

/** One process. */
interface Life {
  alive: boolean
  /** Its disk has nothing against it. */
  readonly diskIsSound: boolean
  /** Once it has started. */
  engine?: Engine
  /** Why it would have ended by itself. */
  failure?: unknown
  readonly stopping: AbortController
  /** Settled when its clients have stopped. */
  clients: Promise<void>
}

class World {
  readonly #options: SimulationOptions
  readonly #chance: Chance
  readonly #trace: Trace
  readonly #scheduler: Scheduler
  readonly #wallClock = new WallClock()
  readonly #disk: SimulatedDisk
  readonly #buckets: SimulatedBuckets
  readonly #indexNetwork: SimulatedNetwork
  readonly #index: SimulatedIndex
  readonly #endpointNetwork: SimulatedNetwork
  readonly #endpoint: SimulatedEndpoint
  readonly #refusals: Refusals = new Map()
  readonly #processings = new Processings()
  readonly #functions: SimulatedFunctions
  readonly #database: SimulatedDatabase
  readonly #workload: Workload
  readonly #failures: string[] = []
  /** Present when bits rot. */
  readonly #rot: BitRot | undefined
  /** Batches that wait for an operator in the end. */
  readonly #unfinished = new Map<BatchId, SealedBatch>()

  constructor(options: SimulationOptions) {
    const { seed, echo, rot } = options
    this.#options = options
    this.#chance = new Chance(seed, 'world')
    this.#trace = new Trace(echo)
    this.#scheduler = new Scheduler(this.#trace)
    this.#disk = new SimulatedDisk({
      scheduler: this.#scheduler,
      chance: new Chance(seed, 'disk'),
      capacityBytes: CAPACITY_BYTES,
    })
    this.#buckets = new SimulatedBuckets(this.#scheduler, new Chance(seed, 'buckets'))
    this.#indexNetwork = new SimulatedNetwork(this.#scheduler, new Chance(seed, 'to the index'))
    this.#index = new SimulatedIndex(this.#indexNetwork, new Chance(seed, 'index'))
    this.#endpointNetwork = new SimulatedNetwork(
      this.#scheduler,
      new Chance(seed, 'to the endpoint'),
    )
    this.#endpoint = new SimulatedEndpoint(this.#endpointNetwork)
    this.#functions = new SimulatedFunctions(
      this.#scheduler,
      new Chance(seed, 'functions'),
      this.#processings,
    )
    this.#database = new SimulatedDatabase(this.#scheduler, new Chance(seed, 'database'))
    this.#workload = new Workload({
      // The record-by-record ones need the more seeds, having the more ways.
      streamIds: this.#chance.happens(0.5) ? STREAM_IDS : RECORD_STREAM_IDS,
      chance: new Chance(seed, 'workload'),
      note: (text) => this.#note(text),
    })
    if (rot === true) {
      this.#rot = new BitRot({
        root: this.#disk.disk.root,
        chance: this.#chance,
        processings: this.#processings,
        note: (text) => this.#note(text),
      })
    }
    for (const streamId of STREAM_IDS)
      this.#database.streams.set(streamId, makeStream(streamId, this.#chance))
  }

  async run(): Promise<Outcome> {
    const lives = this.#chance.integer(1, LIVES_MAX)
    for (let life = 0; life < lives; life += 1) await this.#liveAndDie()
    await this.#liveInPeace()
    const leftovers = [...filesUnder(this.#disk.disk.root)]
      .map(([path]) => path)
      .filter((path) => path.startsWith(`${DATA_DIRECTORY}/batches/`))
    const { puts } = this.#workload
    return {
      seed: this.#options.seed,
      violations: [
        ...this.#failures,
        ...violationsIn({
          puts,
          database: this.#database,
          buckets: this.#buckets,
          index: this.#index,
          endpoint: this.#endpoint,
          refusals: this.#refusals,
          processings: this.#processings,
          streamIds: STREAM_IDS,
          leftovers,
          unfinished: this.#unfinished,
          rotted: this.#options.rot === true,
        }),
      ],
      traceHash: this.#trace.hash,
      trace: this.#trace.latest(),
      stepCount: this.#scheduler.stepCount,
      acknowledgedCount: puts.filter(({ answer }) => answer === 'acknowledged').length,
    }
  }

  async #liveAndDie(): Promise<void> {
    const chance = this.#chance
    const firstPut = this.#workload.puts.length
    const lastStep = this.#scheduler.stepCount + chance.integer(1, STEPS_MAX)
    const deadlineMs = this.#scheduler.nowMs + LIFE_MS_MAX
    this.#setFaults(drawFaults(chance, CAPACITY_BYTES))
    const life = this.#start()
    this.#disturb(life)
    // In a quiet life what fails is tried again for longer.
    if (chance.happens(0.4)) {
      const quietAfterMs = chance.between(100, 1_000)
      this.#scheduler.after(quietAfterMs, life, 'clients go', () => life.stopping.abort())
    }
    await this.#scheduler.runUntil(
      () => life.failure !== undefined || this.#scheduler.stepCount >= lastStep,
      deadlineMs,
    )
    this.#checkUsage(life)
    const ended = chance.happens(0.2) && (await this.#endOrderly(life))
    if (!ended) this.#crash(life)
    const { datasync, other } = this.#disk.faults
    for (const put of this.#workload.puts.slice(firstPut)) put.mayLinger = datasync + other > 0
  }

  /** No more faults, no more clients: all that was taken arrives. */
  async #liveInPeace(): Promise<void> {
    this.#setFaults(NO_FAULTS)
    const life = this.#start({ clients: false })
    const deadlineMs = this.#scheduler.nowMs + DELIVERED_WITHIN_MS
    const done = (): boolean =>
      life.failure !== undefined || life.engine?.store.usage().batchCount === this.#unfinished.size
    await this.#scheduler.runUntil(() => life.engine !== undefined, deadlineMs)
    await this.#resumeNowAndThen(life)
    if (!(await this.#scheduler.runUntil(done, deadlineMs))) await this.#tellUndelivered(life)
    if (life.failure === undefined && !(await this.#endOrderly(life)))
      this.#failures.push('the last process does not end')
    // What is on its way without a sender arrives.
    await this.#scheduler.runUntil(() => false, this.#scheduler.nowMs + LIFE_MS_MAX * 5)
    if (life.failure !== undefined)
      this.#failures.push(`the last process failed: ${textOf(life.failure)}`)
  }

  /** A stream brakes again where its destination refuses batch after batch. */
  async #resumeNowAndThen(life: Life): Promise<void> {
    if (this.#rot !== undefined) await this.#findUnfinished(life)
    for (const streamId of STREAM_IDS) await life.engine?.queue.resume(streamId)
    this.#scheduler.after(RESUMED_EACH_MS, life, 'operator resumes', () => {
      void this.#resumeNowAndThen(life)
    })
  }

  /**
   * Where bits rotted, what was staged of a batch may be lost when names are fixed by it: then the batch
   * is parked again when it was resumed.
   */
  async #findUnfinished(life: Life): Promise<void> {
    const damaged = (await this.#undelivered(life)).filter(
      ({ state, lastFailure }) => state === 'parked' && lastFailure?.errorCode === 'StagingDamaged',
    )
    this.#unfinished.clear()
    for (const { batch, attempt } of damaged)
      if (attempt > 1) this.#unfinished.set(batch.batchId, batch)
  }

  async #tellUndelivered(life: Life): Promise<void> {
    for (const { batch, state, lastFailure } of await this.#undelivered(life)) {
      const { errorMessage } = lastFailure ?? {}
      this.#failures.push(`batch ${batch.batchId} is not delivered: ${state}, ${errorMessage}`)
    }
    this.#failures.push(`${life.engine?.store.usage().batchCount} batches are not delivered`)
  }

  async #undelivered({ engine }: Life): Promise<readonly QueuedBatch[]> {
    const paths = [...filesUnder(this.#disk.disk.root)].map(([path]) => path)
    const found: QueuedBatch[] = []
    for (const path of paths.filter((each) => each.endsWith('.batch'))) {
      const queued = await engine?.queue.find(batchIdOf(path))
      if (queued !== undefined) found.push(queued)
    }
    return found
  }

  #start({ clients } = { clients: true }): Life {
    this.#note('a process starts')
    const seed = this.#options.seed + this.#scheduler.stepCount
    const { write, datasync, other, takenBytes } = this.#disk.faults
    const diskIsSound = write + datasync + other + takenBytes === 0
    const life: Life = {
      alive: true,
      diskIsSound,
      stopping: new AbortController(),
      clients: Promise.resolve(),
    }
    const clock = virtualClock(this.#scheduler, this.#wallClock, new Chance(seed, 'process'), life)
    const fail = (error: unknown): void => {
      life.failure ??= error
    }
    startEngine({
      fileSystem: this.#disk.mount(life),
      catalog: this.#database.open(life),
      objectStore: this.#buckets.connect(life),
      functions: this.#functions.connect(life),
      onLend: (batchId) => this.#processings.lent(batchId, life),
      watch: (contents) =>
        this.#processings.watch(contents, life, (batchId) => {
          if (clients && this.#chance.happens(0.1)) this.#rot?.strikeStaged(batchId)
        }),
      destinationTypes: [
        s3,
        indexType(this.#index.connect(life), this.#refusals),
        endpointType(this.#endpoint.connect(life), this.#refusals),
      ],
      keyRing: { unwrap: () => DATA_KEY },
      clock,
      logger: this.#logger(),
      bug: this.#options.bug ?? {},
    }).then((engine) => {
      this.#note('it has started')
      life.engine = engine
      engine.running.catch(fail)
      if (!clients) return
      life.clients = this.#workload.run(engine, clock, life.stopping.signal)
      // An answer that the contract does not allow is no fault that a restart forgives.
      life.clients.catch((error: unknown) => this.#failures.push(`a client met ${textOf(error)}`))
    }, fail)
    return life
  }

  /** False when it does not come to an end in time. */
  async #endOrderly(life: Life): Promise<boolean> {
    const { engine } = life
    if (engine === undefined || life.failure !== undefined) return false
    this.#note('the process is asked to end')
    let ended = false
    life.stopping.abort()
    const end = async (): Promise<void> => {
      await life.clients
      await engine.drain()
      ended = true
    }
    end().catch((error: unknown) => {
      life.failure ??= error
    })
    const deadlineMs = this.#scheduler.nowMs + DRAIN_MS_MAX
    await this.#scheduler.runUntil(() => ended || life.failure !== undefined, deadlineMs)
    if (ended) life.alive = false
    return ended
  }

  #checkUsage({ engine }: Life): void {
    if (engine === undefined) return
    const { batchCount, storedBytes } = engine.store.usage()
    if (batchCount < 0 || storedBytes < 0)
      this.#failures.push(`the store counts ${batchCount} batches, ${storedBytes} bytes`)
  }

  #crash(life: Life): void {
    life.alive = false
    if (life.failure !== undefined) this.#note(`the process fails: ${messageOf(life.failure)}`)
    if (this.#chance.happens(0.5)) {
      this.#note('the process is killed')
      this.#disk.afterProcessCrash()
    } else {
      this.#note('the power is lost')
      this.#disk.afterPowerLoss()
    }
  }

  #setFaults(faults: Faults): void {
    this.#disk.faults = faults.disk
    this.#buckets.faults = faults.buckets
    this.#index.faults = faults.index
    this.#indexNetwork.faults = faults.toIndex
    this.#endpointNetwork.faults = faults.toEndpoint
    this.#functions.faults = faults.functions
    this.#database.failing = faults.databaseFailing
  }

  /** Now and then, as long as the process lives: the clock is set, space comes and goes, bits flip. */
  #disturb(life: Life): void {
    const chance = this.#chance
    this.#scheduler.after(chance.between(50, 1_000), life, 'disturbance', () => {
      if (chance.happens(0.1)) this.#wallClock.jump(chance.between(-30 * HOUR_MS, 30 * HOUR_MS))
      if (chance.happens(0.3)) this.#disk.faults = { ...this.#disk.faults, takenBytes: 0 }
      if (this.#rot !== undefined && chance.happens(0.3)) this.#rot.strike()
      this.#disturb(life)
    })
  }

  #note(text: string): void {
    this.#trace.note(this.#scheduler.nowMs, text)
  }

  #logger(): Logger {
    const log = (fields: object, message: string): void => {
      const { error, errorMessage } = fields as { error?: unknown; errorMessage?: string }
      const cause = error === undefined ? errorMessage : messageOf(error)
      this.#note(`log: ${message} ${cause ?? ''}`)
    }
    return { debug: log, info: log, warn: log, error: log }
  }
}

/** Without the stack: that tells of whoever runs the simulation, too. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
