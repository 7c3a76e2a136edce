import type { Clock } from '../base/clock.ts'
import { insist } from './insist.ts'
import type { ScriptArgument, ScriptRunner } from './scripts.ts'

/** Runs a script again while it fails in a way that passes: a failover, a lost connection. */
export class InsistentScripts implements ScriptRunner {
  readonly #scripts: ScriptRunner
  readonly #clock: Clock

  constructor(scripts: ScriptRunner, clock: Clock) {
    this.#scripts = scripts
    this.#clock = clock
  }

  run(name: string, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown> {
    return this.#insist(() => this.#scripts.run(name, keys, args))
  }

  runBinary(
    name: string,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<unknown> {
    return this.#insist(() => this.#scripts.runBinary(name, keys, args))
  }

  #insist(ask: () => Promise<unknown>): Promise<unknown> {
    return insist(ask, { clock: this.#clock })
  }
}
