/** Takes a stream of bytes in lengths of its own choosing. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>
  #rest: Buffer = Buffer.alloc(0)

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#source = bytes[Symbol.asyncIterator]()
  }

  /**
   * The next `sizeBytes` bytes; undefined at the end.
   * @throws Error when the bytes end in between
   */
  async take(sizeBytes: number): Promise<Buffer | undefined> {
    const parts = [this.#rest]
    let heldBytes = this.#rest.byteLength
    while (heldBytes < sizeBytes) {
      const next = await this.#source.next()
      if (next.done === true) {
        if (heldBytes === 0) return undefined
        throw new Error('it ends too early')
      }
      parts.push(Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength))
      heldBytes += next.value.byteLength
    }
    const held = parts.length === 1 ? this.#rest : Buffer.concat(parts, heldBytes)
    this.#rest = held.subarray(sizeBytes)
    return held.subarray(0, sizeBytes)
  }

  /** As `take`, where an end is too early, too. */
  async need(sizeBytes: number): Promise<Buffer> {
    const bytes = await this.take(sizeBytes)
    if (bytes === undefined) throw new Error('it ends too early')
    return bytes
  }

  /** Gives bytes that were taken last back. */
  giveBack(bytes: Buffer): void {
    this.#rest = Buffer.concat([bytes, this.#rest])
  }

  /** All that is left; whoever stops half-way may ask again. */
  async *remaining(): AsyncGenerator<Buffer> {
    const rest = this.#rest
    this.#rest = Buffer.alloc(0)
    if (rest.byteLength > 0) yield rest
    for (;;) {
      const next = await this.#source.next()
      if (next.done === true) return
      yield Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength)
    }
  }

  /** Lets go of the source, whether or not it has ended. */
  async close(): Promise<void> {
    await this.#source.return?.()
  }
}
