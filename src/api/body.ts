/**
 * Bodies of requests: refused by their declared length before a byte is read, bounded as they
 * arrive, and bounded in sum over all requests. A body goes from the socket into one buffer.
 */
import type { IncomingMessage } from 'node:http'
import type { BufferPool } from '../base/buffer-pool.ts'
import { ApiError, slowDown } from './exceptions.ts'

const CHUNKED_CAPACITY_BYTES = 64 * 1024

/** The client went away before its request was complete. Nobody is left to answer. */
export class RequestAborted extends Error {
  override readonly name = 'RequestAborted'
}

/** How many bytes of bodies the process holds, from their arrival until their request is answered. */
export class BodyBudget {
  readonly #bytesMax: number
  #heldBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** False when there is no room; then nothing is held. */
  take(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.#bytesMax) return false
    this.#heldBytes += bytes
    return true
  }

  give(bytes: number): void {
    this.#heldBytes -= bytes
  }
}

/**
 * The body's length as declared; undefined for a chunked body. Node's parser has already refused a
 * request with both, with two different lengths, or with a length that is no number. Where no body is
 * expected, as by `curl -X POST`, one that isn't declared is empty, which is what HTTP says of it.
 * @param bytesMax 0 where no body is expected
 * @throws ApiError when the body is longer than `bytesMax`, or a POST that needs one doesn't tell
 */
export function declaredLength(request: IncomingMessage, bytesMax: number): number | undefined {
  if (request.headers['transfer-encoding'] !== undefined) return undefined
  const text = request.headers['content-length']
  if (text === undefined && request.method === 'POST' && bytesMax > 0) {
    throw new ApiError('LengthRequiredException', 'Cannot read the body: Content-Length is missing')
  }
  const lengthBytes = Number(text ?? 0)
  if (lengthBytes > bytesMax) throw tooLarge(bytesMax)
  return lengthBytes
}

/** Collects one request's body. What it holds of the budget it holds until `release`. */
export class BodyReader {
  readonly #budget: BodyBudget
  readonly #buffers: BufferPool
  #heldBytes = 0
  #collected: GrowingBuffer | undefined

  constructor(budget: BodyBudget, buffers: BufferPool) {
    this.#budget = budget
    this.#buffers = buffers
  }

  /**
   * @param lengthBytes as declared; undefined for a chunked body
   * @throws ApiError when there is no room, or a chunked body grows beyond `bytesMax`
   * @throws RequestAborted
   */
  read(
    request: IncomingMessage,
    lengthBytes: number | undefined,
    bytesMax: number,
  ): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    const collected = new GrowingBuffer(lengthBytes ?? CHUNKED_CAPACITY_BYTES, this.#buffers)
    this.#collected = collected
    const take = (bytes: Buffer): void => {
      const refusal = this.#admit(bytes.byteLength, bytesMax)
      if (refusal === undefined) return collected.add(bytes)
      // What still comes is read and thrown away, so that the client hears the answer.
      request.off('data', take).resume()
      reject(refusal)
    }
    request.on('data', take)
    request.once('end', () => resolve(collected.finish()))
    request.once('error', (error) => reject(new RequestAborted(error.message, { cause: error })))
    request.once('close', () => {
      if (!request.readableEnded) reject(new RequestAborted('Client went away within its request'))
    })
    return promise
  }

  /** Gives the held bytes back, of a body that came in part, too; it must not be used any more. */
  release(): void {
    this.#budget.give(this.#heldBytes)
    this.#heldBytes = 0
    this.#collected?.release()
    this.#collected = undefined
  }

  #admit(bytes: number, bytesMax: number): ApiError | undefined {
    if (this.#heldBytes + bytes > bytesMax) return tooLarge(bytesMax)
    if (!this.#budget.take(bytes)) return slowDown()
    this.#heldBytes += bytes
    return undefined
  }
}

/** One buffer that is as large as the body from its first byte on, or doubles as a chunked body grows. */
class GrowingBuffer {
  readonly #firstCapacityBytes: number
  readonly #buffers: BufferPool
  #buffer: Buffer = Buffer.alloc(0)
  #filledBytes = 0
  #isFinished = false

  constructor(firstCapacityBytes: number, buffers: BufferPool) {
    this.#firstCapacityBytes = firstCapacityBytes
    this.#buffers = buffers
  }

  add(bytes: Buffer): void {
    const neededBytes = this.#filledBytes + bytes.byteLength
    if (neededBytes > this.#buffer.byteLength) this.#grow(neededBytes)
    bytes.copy(this.#buffer, this.#filledBytes)
    this.#filledBytes = neededBytes
  }

  finish(): Buffer {
    this.#isFinished = true
    return this.#buffer.subarray(0, this.#filledBytes)
  }

  release(): void {
    if (this.#isFinished) this.#buffers.give(this.#buffer)
    else this.#buffers.free(this.#buffer)
    this.#buffer = Buffer.alloc(0)
  }

  #grow(neededBytes: number): void {
    const doubledBytes = 2 * this.#buffer.byteLength
    const capacityBytes = Math.max(neededBytes, doubledBytes, this.#firstCapacityBytes)
    const grown = this.#buffers.take(capacityBytes)
    this.#buffer.copy(grown, 0, 0, this.#filledBytes)
    this.#buffers.give(this.#buffer)
    this.#buffer = grown
  }
}

function tooLarge(bytesMax: number): ApiError {
  const message = `Cannot take the body: it exceeds ${bytesMax} bytes`
  return new ApiError('RequestEntityTooLargeException', message)
}
