/**
 * The functions of a folder as their code was at one moment. It is retired when the code has changed,
 * and ends with the last lease of it.
 */
import { strict as assert } from 'node:assert'
import { pathToFileURL } from 'node:url'
import type { FunctionLease } from '../functions.ts'
import type { FunctionThreadOptions } from './function-thread.ts'
import type { LambdaArn } from './lambda-arn.ts'
import type { CodeFile, ModuleCode } from './module-code.ts'
import { ThreadPool } from './thread-pool.ts'

export type FunctionRuntime = Omit<FunctionThreadOptions, 'function'>

export class Generation {
  readonly files: readonly CodeFile[]
  readonly #code: ModuleCode
  readonly #runtime: FunctionRuntime
  /** By function name and path: two functions may share a module. */
  readonly #pools = new Map<string, ThreadPool>()
  readonly #ended = Promise.withResolvers<void>()
  #leaseCount = 0
  #isRetired = false

  constructor(files: readonly CodeFile[], code: ModuleCode, runtime: FunctionRuntime) {
    this.files = files
    this.#code = code
    this.#runtime = runtime
  }

  /** Resolves when it is retired and all its threads are gone. */
  get ended(): Promise<void> {
    return this.#ended.promise
  }

  has(path: string): boolean {
    return this.files.some((file) => file.path === path)
  }

  /** @param path of a module that it has */
  lease(path: string, { arn, functionName }: LambdaArn): FunctionLease {
    assert(!this.#isRetired, 'leases are of the newest code')
    const pool = this.#pool(path, functionName)
    let isHeld = true
    this.#leaseCount += 1
    return {
      invoke: (event, signal) => pool.invoke(event, arn, signal),
      release: () => {
        if (!isHeld) return
        isHeld = false
        this.#leaseCount -= 1
        this.#endIfUnused()
      },
    }
  }

  /** Gives no more leases. */
  retire(): void {
    this.#isRetired = true
    this.#endIfUnused()
  }

  /** Ends now; what is under way fails. */
  async close(): Promise<void> {
    this.#isRetired = true
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()))
    this.#ended.resolve()
  }

  #endIfUnused(): void {
    if (this.#isRetired && this.#leaseCount === 0) void this.close()
  }

  #pool(path: string, functionName: string): ThreadPool {
    const name = `${functionName} ${path}`
    const known = this.#pools.get(name)
    if (known !== undefined) return known
    const module = this.#code.urls.get(path) ?? pathToFileURL(path).href
    const pool = new ThreadPool({
      ...this.#runtime,
      function: { functionName, module, code: this.#code },
    })
    this.#pools.set(name, pool)
    return pool
  }
}
