/**
 * jq as WebAssembly, from the package jq-web. What the package gives out is an instance that keeps all
 * that jq prints in an array, and takes all the memory that jq asks for: a query could end the
 * process. So the factory that makes it is taken from the package, and makes one with limits.
 *
 * What jq can reach is emscripten's file system, which is in memory and holds nothing but jq's own
 * input, and an environment that emscripten makes up.
 */
import { strict as assert } from 'node:assert'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { compileFunction } from 'node:vm'

export interface JqLimits {
  /** Of jq itself; emscripten may take a fifth more. */
  readonly memoryBytes: number
  /** Of what one run prints. */
  readonly outputBytes: number
}

/** jq said no: the program doesn't compile, or ended by an error. The message is jq's. */
export class JqRefusal extends Error {
  override readonly name = 'JqRefusal'
}

/** The run was ended in its middle. The instance can't be used any more. */
export class JqBroken extends Error {
  override readonly name = 'JqBroken'
}

/** What we use of the package's instance. */
interface PackagedJq {
  /** @throws Error with the exit code when that is not 0; anything when jq was ended */
  raw(inputs: string, program: string, flags: readonly string[]): void
}
type PackagedFactory = (overrides: object) => Promise<PackagedJq>
/** Both of its import modules are this one. */
interface Imports {
  readonly env: { emscripten_resize_heap(sizeBytes: number): number }
}

const STDOUT = 1
const STDERR = 2
const STDERR_BYTES_MAX = 4096
/** One line for each value. */
const FLAGS = ['-c']

export class Jq {
  readonly #limits: JqLimits
  readonly #stdout: BoundedOutput
  readonly #stderr = new BoundedOutput(STDERR_BYTES_MAX)
  #packaged: PackagedJq | undefined
  #memory: WebAssembly.Memory | undefined
  /** The limit that the run went beyond. */
  #beyond: string | undefined

  private constructor(limits: JqLimits) {
    this.#limits = limits
    this.#stdout = new BoundedOutput(limits.outputBytes)
  }

  static async load(limits: JqLimits): Promise<Jq> {
    const jq = new Jq(limits)
    const { factory, wasm } = takePackage()
    jq.#packaged = await factory({
      thisProgram: 'jq',
      printErr: () => {},
      instantiateWasm: (imports: Imports, receive: (instance: WebAssembly.Instance) => void) => {
        receive(jq.#instantiate(new WebAssembly.Module(wasm), imports))
      },
    })
    return jq
  }

  /**
   * What a program prints for a text of inputs.
   * @throws JqRefusal, JqBroken
   */
  run(program: string, inputs: string): string {
    assert(this.#packaged !== undefined, 'jq is loaded')
    this.#stdout.clear()
    this.#stderr.clear()
    try {
      this.#packaged.raw(inputs, program, FLAGS)
    } catch (error) {
      const { exitCode, message } = error as Error & { exitCode?: number }
      if (exitCode === undefined) throw new JqBroken(this.#beyond ?? message, { cause: error })
      throw new JqRefusal(this.#stderr.text(), { cause: error })
    }
    return this.#stdout.text()
  }

  /** What memory jq takes and what it prints passes through our hands. */
  #instantiate(module: object, { env }: Imports): WebAssembly.Instance {
    const limited = {
      ...env,
      emscripten_resize_heap: (sizeBytes: number): number => {
        const { memoryBytes } = this.#limits
        if (sizeBytes >>> 0 <= memoryBytes) return env.emscripten_resize_heap(sizeBytes)
        // jq aborts when it gets no memory.
        this.#beyond = `it took more than ${memoryBytes} bytes of memory`
        return 0
      },
      fd_write: (file: number, vectors: number, count: number, writtenAt: number): number => {
        assert(file === STDOUT || file === STDERR, 'jq writes to no files')
        return this.#write(file, vectors, count, writtenAt)
      },
    }
    const instance = new WebAssembly.Instance(module, {
      env: limited,
      wasi_snapshot_preview1: limited,
    })
    this.#memory = instance.exports.memory
    return instance
  }

  /** WASI's fd_write: gathers from `count` pairs of address and length. */
  #write(file: number, vectors: number, count: number, writtenAt: number): number {
    assert(this.#memory !== undefined, 'jq is loaded')
    const memory = Buffer.from(this.#memory.buffer)
    let written = 0
    for (let at = vectors; at < vectors + count * 8; at += 8) {
      const from = memory.readUInt32LE(at)
      const bytes = memory.subarray(from, from + memory.readUInt32LE(at + 4))
      const hasRoom = file === STDOUT ? this.#stdout.append(bytes) : this.#stderr.append(bytes)
      if (!hasRoom && file === STDOUT) {
        this.#beyond = `it printed more than ${this.#limits.outputBytes} bytes`
        throw new Error('There is no room for what jq prints')
      }
      written += bytes.byteLength
    }
    memory.writeUInt32LE(written, writtenAt)
    return 0
  }
}

class BoundedOutput {
  readonly #bytesMax: number
  #bytes = Buffer.alloc(0)
  #length = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Takes what there is room for; returns whether that was all. */
  append(bytes: Buffer): boolean {
    const length = Math.min(this.#length + bytes.byteLength, this.#bytesMax)
    if (length > this.#bytes.byteLength) {
      const larger = Buffer.alloc(Math.min(Math.max(length * 2, 4096), this.#bytesMax))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    const taken = bytes.copy(this.#bytes, this.#length, 0, length - this.#length)
    this.#length = length
    return taken === bytes.byteLength
  }

  text(): string {
    return this.#bytes.toString('utf8', 0, this.#length)
  }

  clear(): void {
    this.#length = 0
  }
}

/**
 * The factory is the first thing that the package exports, before it makes its own instance of it,
 * which is then spared by throwing.
 */
function takePackage(): { factory: PackagedFactory; wasm: Uint8Array } {
  const require = createRequire(import.meta.url)
  const path = require.resolve('jq-web')
  const parameters = ['module', 'exports', 'require', '__dirname', '__filename']
  const evaluate = compileFunction(readFileSync(path, 'utf8'), parameters, { filename: path })
  let factory: PackagedFactory | undefined
  const taken = new Error('The factory is taken')
  const module = {
    set exports(exported: PackagedFactory) {
      factory = exported
      throw taken
    },
  }
  try {
    evaluate(module, {}, require, dirname(path), path)
  } catch (error) {
    if (error !== taken) throw error
  }
  assert(factory !== undefined, 'jq-web exports its factory first')
  return { factory, wasm: readFileSync(join(dirname(path), 'jq.wasm')) }
}
