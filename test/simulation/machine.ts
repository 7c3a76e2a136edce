import type { FileSystem } from '../../src/embedded/file-system.ts'
import { Chance } from './chance.ts'
import { Scheduler } from './scheduler.ts'
import { SimulatedDisk } from './simulated-file-system.ts'
import { Trace } from './trace.ts'

/** A disk, and one process after the other that does one task at a time on it. */
export class Machine {
  readonly scheduler = new Scheduler(new Trace())
  readonly chance: Chance
  readonly disk: SimulatedDisk
  process = { alive: true }
  fileSystem: FileSystem

  constructor(seed = 1, capacityBytes = 1e6) {
    this.chance = new Chance(seed)
    this.disk = new SimulatedDisk({
      scheduler: this.scheduler,
      chance: this.chance,
      capacityBytes,
    })
    this.fileSystem = this.disk.mount(this.process)
  }

  async run<Value>(task: (fileSystem: FileSystem) => Promise<Value>): Promise<Value> {
    let outcome: (() => Value) | undefined
    task(this.fileSystem).then(
      (value) => (outcome = () => value),
      (error: unknown) =>
        (outcome = () => {
          throw error
        }),
    )
    await this.scheduler.runUntil(() => outcome !== undefined, this.scheduler.nowMs + 1e6)
    if (outcome === undefined) throw new Error('Task did not end')
    return outcome()
  }

  /** Whether the task ended within so many steps of the disk; if not, it stands where it is. */
  async runFor(
    stepsMax: number,
    task: (fileSystem: FileSystem) => Promise<unknown>,
  ): Promise<boolean> {
    let ended = false
    const lastStep = this.scheduler.stepCount + stepsMax
    void task(this.fileSystem).then(() => (ended = true))
    const isOver = (): boolean => ended || this.scheduler.stepCount >= lastStep
    await this.scheduler.runUntil(isOver, this.scheduler.nowMs + 1e6)
    return ended
  }

  losePower(): void {
    this.process.alive = false
    this.disk.afterPowerLoss()
    this.#boot()
  }

  dieAlone(): void {
    this.process.alive = false
    this.disk.afterProcessCrash()
    this.#boot()
  }

  #boot(): void {
    this.process = { alive: true }
    this.fileSystem = this.disk.mount(this.process)
  }
}
