/**
 * Reads a source with its client library alone, in a process of its own: first what there is to warm up
 * with, then, when its parent says so, what is measured.
 */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { SOURCES } from './sources/index.ts'

export interface BarePlan {
  readonly sourceName: string
  readonly place: string
  readonly warmUp: BareRead
  readonly measured: BareRead
}

export interface BareRead {
  readonly name: string
  readonly recordCount: number
}

export class BareReader {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** Resolves when it is warm. */
  static async start(plan: BarePlan): Promise<BareReader> {
    const reader = new BareReader(fork(new URL(import.meta.url), { execArgv: [] }))
    reader.#child.send(plan)
    await reader.#answer()
    return reader
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  async read(): Promise<void> {
    this.#child.send('read')
    await this.#answer()
  }

  stop(): void {
    this.#child.kill()
  }

  async #answer(): Promise<void> {
    const over = new AbortController()
    const ended = once(this.#child, 'exit', over).then(([code]) => {
      throw new Error(`Cannot read with the library alone: exit code ${code}`)
    })
    try {
      await Promise.race([once(this.#child, 'message', over), ended])
    } finally {
      ended.catch(() => undefined)
      over.abort()
    }
  }
}

async function execute({ sourceName, place, warmUp, measured }: BarePlan): Promise<void> {
  const source = SOURCES.find(({ name }) => name === sourceName)
  if (source === undefined) throw new Error(`Cannot read ${sourceName}`)
  await source.readBare(place, warmUp.name, warmUp.recordCount)
  process.send?.('warm')
  await once(process, 'message')
  await source.readBare(place, measured.name, measured.recordCount)
  process.send?.('done')
}

if (process.send !== undefined && process.argv[1]?.endsWith('bare-reader.ts') === true) {
  process.once('disconnect', () => process.exit())
  process.once('message', (plan) => void execute(plan as BarePlan))
}
