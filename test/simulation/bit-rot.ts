import type { BatchId } from '../../src/batch.ts'
import type { Chance } from './chance.ts'
import { filesUnder } from './disk.ts'
import type { DiskDirectory, DiskFile } from './disk.ts'
import type { Processings } from './processings.ts'

export interface BitRotOptions {
  readonly root: DiskDirectory
  readonly chance: Chance
  /** Told of what was staged and can't be trusted any more. */
  readonly processings: Processings
  readonly note: (text: string) => void
}

/**
 * Flips bits, one a file, in sealed batches and what is staged of them: in the last group of an open one,
 * damage can't be told from a torn tail.
 */
export class BitRot {
  readonly #options: BitRotOptions
  readonly #rotten = new Set<DiskFile>()

  constructor(options: BitRotOptions) {
    this.#options = options
  }

  /** Anywhere. */
  strike(): void {
    this.#strike((path) => /\.(?:batch|staged)$/.test(path))
  }

  /** In what is staged of a batch. */
  strikeStaged(batchId: BatchId): void {
    this.#strike((path) => path.endsWith(`/${batchId}.staged`))
  }

  #strike(isWanted: (path: string) => boolean): void {
    const { root, chance, processings, note } = this.#options
    const files = [...filesUnder(root)].filter(
      ([path, file]) => isWanted(path) && !this.#rotten.has(file),
    )
    const [path, file] = files[chance.integer(0, files.length - 1)] ?? []
    if (path === undefined || file === undefined) return
    const position = chance.integer(0, file.sizeBytes - 1)
    note(`a bit rots at ${position} in ${path}`)
    this.#rotten.add(file)
    file.rot(position, chance.integer(0, 7))
    if (path.endsWith('.staged')) processings.rotted(batchIdOf(path))
  }
}

/** Of a file beside a batch, or of its own. */
export function batchIdOf(path: string): BatchId {
  return path.slice(path.lastIndexOf('/') + 1, path.lastIndexOf('.'))
}
