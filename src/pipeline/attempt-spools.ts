import { strict as assert } from 'node:assert'
import type { OpenedSpool, OutputContent, Spool } from '../destination.ts'

/**
 * The spools of one attempt and what came out of them: given back together, whatever became of the
 * attempt. An encoding that failed half-way has spools unfinished, contents that it never returned,
 * and perhaps writes still under way.
 */
export class AttemptSpools {
  readonly #spools: OpenedSpool[] = []
  readonly #contents: OutputContent[] = []
  readonly #underWay = new Set<Promise<unknown>>()
  #disposed = false

  /** The spool as the destination sees it. */
  add(spool: OpenedSpool): Spool {
    this.#spools.push(spool)
    return {
      write: (bytes) => this.#follow(() => spool.write(bytes)),
      finish: () =>
        this.#follow(async () => {
          const content = await spool.finish()
          this.#contents.push(content)
          return content
        }),
    }
  }

  /** Waits for what is under way; then nothing of the attempt is in memory or on disk. */
  async dispose(): Promise<void> {
    this.#disposed = true
    await Promise.allSettled(this.#underWay)
    await Promise.all([...this.#spools, ...this.#contents].map((held) => held.dispose()))
  }

  async #follow<Result>(act: () => Promise<Result>): Promise<Result> {
    assert(!this.#disposed, 'an attempt that has ended writes no more')
    const acting = act()
    this.#underWay.add(acting)
    try {
      return await acting
    } finally {
      this.#underWay.delete(acting)
    }
  }
}
