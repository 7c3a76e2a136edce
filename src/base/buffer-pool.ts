/**
 * Large buffers, used again. A fresh one costs the system a page fault for each 4 KiB and the garbage
 * collector a sweep, together more than decoding what is written into it (docs/performance.md).
 */
const POOLED_BYTES_MIN = 64 * 1024
const IDLE_BYTES_MAX = 32 * 1024 * 1024

export class BufferPool {
  /** Idle memory by size; sizes are powers of two. */
  readonly #idle = new Map<number, ArrayBuffer[]>()
  readonly #own = new WeakSet<ArrayBufferLike>()
  #idleBytes = 0

  /** A buffer of `sizeBytes` with whatever was in it before. */
  take(sizeBytes: number): Buffer {
    if (sizeBytes < POOLED_BYTES_MIN) return Buffer.allocUnsafe(sizeBytes)
    const capacityBytes = 2 ** Math.ceil(Math.log2(sizeBytes))
    const memory = this.#idle.get(capacityBytes)?.pop()
    if (memory === undefined) return this.#make(capacityBytes, sizeBytes)
    this.#idleBytes -= capacityBytes
    return Buffer.from(memory, 0, sizeBytes)
  }

  /** Gives a buffer back, which nobody uses any more. Buffers from elsewhere are left alone. */
  give({ buffer: memory }: Buffer): void {
    if (!this.#own.has(memory) || !(memory instanceof ArrayBuffer)) return
    if (this.#idleBytes + memory.byteLength > IDLE_BYTES_MAX) return
    this.#idleBytes += memory.byteLength
    const idle = this.#idle.get(memory.byteLength)
    if (idle === undefined) this.#idle.set(memory.byteLength, [memory])
    else idle.push(memory)
  }

  /**
   * Gives a buffer's memory back to the system at once, where `give` may leave that to the garbage
   * collector, which comes when it likes. Only for buffers that no call of the system's still uses.
   */
  free({ buffer: memory }: Buffer): void {
    if (this.#own.has(memory) && memory instanceof ArrayBuffer) memory.transfer(0)
  }

  #make(capacityBytes: number, sizeBytes: number): Buffer {
    const buffer = Buffer.allocUnsafeSlow(capacityBytes)
    this.#own.add(buffer.buffer)
    return buffer.subarray(0, sizeBytes)
  }
}
