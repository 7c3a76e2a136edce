/**
 * How much memory unpacked bodies may take in sum. How large a body becomes is known when it is
 * unpacked: until then it counts as the largest, and others wait. A hundred small requests could else
 * unpack to gigabytes at the same time.
 */
import { strict as assert } from 'node:assert'

export class ContentBudget {
  readonly #bytesMax: number
  #heldBytes = 0
  /** In the order they came; whoever wants little doesn't overtake. */
  readonly #waiting: { readonly bytes: number; readonly resolve: () => void }[] = []

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Resolves when there is room for `bytes`. Dispose of what it gives. */
  async hold(bytes: number): Promise<HeldContent> {
    assert(bytes <= this.#bytesMax, 'there can be room for it')
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push({ bytes, resolve })
    this.#admit()
    await promise
    return new HeldContent(bytes, (given) => this.#give(given))
  }

  #give(bytes: number): void {
    this.#heldBytes -= bytes
    this.#admit()
  }

  #admit(): void {
    for (;;) {
      const [first] = this.#waiting
      if (first === undefined || this.#heldBytes + first.bytes > this.#bytesMax) return
      this.#waiting.shift()
      this.#heldBytes += first.bytes
      first.resolve()
    }
  }
}

export class HeldContent implements Disposable {
  readonly #give: (bytes: number) => void
  #bytes: number

  constructor(bytes: number, give: (bytes: number) => void) {
    this.#bytes = bytes
    this.#give = give
  }

  /** Gives back what the content turned out not to need. */
  shrinkTo(bytes: number): void {
    assert(bytes <= this.#bytes, 'content is no larger than was held for it')
    const given = this.#bytes - bytes
    this.#bytes = bytes
    this.#give(given)
  }

  [Symbol.dispose](): void {
    this.shrinkTo(0)
  }
}
