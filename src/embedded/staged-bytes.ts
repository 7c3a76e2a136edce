import { unlinkIfThere, withFileIfThere } from './file-operations.ts'
import type { FileSystem } from './file-system.ts'

/**
 * What staged files, those that are finished, occupy, summed over all threads of the process: the delivery threads write them,
 * and the main thread refuses puts where too much is there. A thread that dies in between may leave
 * the sum wrong by a file, until the next start counts anew.
 */
export class StagedBytes {
  /** For another thread, which makes its own object of it. */
  readonly memory: SharedArrayBuffer
  readonly #sum: BigInt64Array

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(8)) {
    this.memory = memory
    this.#sum = new BigInt64Array(memory)
  }

  get total(): number {
    return Math.max(0, Number(Atomics.load(this.#sum, 0)))
  }

  add(sizeBytes: number): void {
    Atomics.add(this.#sum, 0, BigInt(sizeBytes))
  }
}

/** Harmless when there is no such file. */
export async function unlinkStaged(
  fileSystem: FileSystem,
  path: string,
  stagedBytes: StagedBytes,
): Promise<void> {
  const sizeBytes = await withFileIfThere(fileSystem, path, (file) => file.sizeBytes())
  if (sizeBytes === undefined) return
  if (await unlinkIfThere(fileSystem, path)) stagedBytes.add(-sizeBytes)
}
