import { createReadStream } from 'node:fs'
import { DecompressionError } from '../formats/decompression.ts'
import { decompressedObject } from '../formats/decompression-stream.ts'
import { ByteReader } from '../formats/byte-reader.ts'
import { checkMagic, MAGIC, readPart, TransferDamaged } from './transfer-file.ts'
import type { Part, PartKind, PartOf } from './transfer-file.ts'

const READ_BYTES = 256 * 1024

/** The parts of a transfer file, one after the other; what is held is one of them. */
export class TransferReader implements AsyncDisposable {
  readonly #parts: AsyncGenerator<Part>
  #next: Part | undefined

  constructor(path: string) {
    this.#parts = partsOf(path)
  }

  /**
   * The next part, if it is of one of these kinds; else undefined, and it is still the next.
   * @throws TransferDamaged, or the system's error
   */
  async take<Kind extends PartKind>(...kinds: readonly Kind[]): Promise<PartOf<Kind> | undefined> {
    const next = await this.#peek()
    if (next === undefined || !(kinds as readonly PartKind[]).includes(next.kind)) return undefined
    this.#next = undefined
    return next as PartOf<Kind>
  }

  /** As `take`, where any other part is damage. */
  async need<Kind extends PartKind>(...kinds: readonly Kind[]): Promise<PartOf<Kind>> {
    const part = await this.take(...kinds)
    if (part !== undefined) return part
    throw new TransferDamaged(`it should go on with ${kinds.join(' or ')}`)
  }

  /** All that come now of these kinds. */
  async *all<Kind extends PartKind>(...kinds: readonly Kind[]): AsyncGenerator<PartOf<Kind>> {
    for (;;) {
      const part = await this.take(...kinds)
      if (part === undefined) return
      yield part
    }
  }

  async isAtEnd(): Promise<boolean> {
    return (await this.#peek()) === undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.return(undefined)
  }

  async #peek(): Promise<Part | undefined> {
    if (this.#next === undefined) {
      const { value, done } = await this.#parts.next()
      this.#next = done === true ? undefined : value
    }
    return this.#next
  }
}

async function* partsOf(path: string): AsyncGenerator<Part> {
  const file = new ByteReader(createReadStream(path, { highWaterMark: READ_BYTES }))
  try {
    checkMagic(await file.take(MAGIC.byteLength))
    const bytes = new ByteReader(decompressedObject('zstd', file.remaining(), Infinity))
    try {
      for (;;) {
        const part = await readPart(bytes)
        if (part === undefined) return
        yield part
      }
    } finally {
      await bytes.close()
    }
  } catch (error) {
    throw asDamage(error)
  } finally {
    await file.close()
  }
}

/** What the system says of a file that it can't read is no damage. */
function asDamage(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof TransferDamaged) return error
  if (error instanceof DecompressionError) {
    const reason = error.cause instanceof Error ? error.cause.message : error.message
    return new TransferDamaged(`it is cut short or damaged: ${reason}`, { cause: error })
  }
  return 'syscall' in error ? error : new TransferDamaged(error.message, { cause: error })
}
