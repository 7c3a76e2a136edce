import { strict as assert } from 'node:assert'

/**
 * What a StagingWriter does, one act at a time. What fails once has failed: then, and when it is given up,
 * whatever there is of it is removed, so that its room is free again.
 */
export class StagingActs {
  readonly #remove: () => Promise<void>
  #state: 'open' | 'busy' | 'ended' = 'open'
  #acting: Promise<unknown> | undefined

  /** @param remove removes what is not finished, and closes what is open */
  constructor(remove: () => Promise<void>) {
    this.#remove = remove
  }

  write<Result>(act: () => Promise<Result>): Promise<Result> {
    return this.#act(act, 'open')
  }

  /** The last one. */
  async finish(act: () => Promise<void>): Promise<void> {
    await this.#act(act, 'ended')
  }

  /** Also during an act: then after it. Harmless once it has ended. */
  async abandon(): Promise<void> {
    await this.#acting?.catch(() => {})
    if (this.#state !== 'ended') await this.#end()
  }

  #act<Result>(act: () => Promise<Result>, next: 'open' | 'ended'): Promise<Result> {
    assert.equal(this.#state, 'open', 'staging takes one block at a time, until it has ended')
    this.#state = 'busy'
    const acting = this.#endingOnFailure(act, next)
    this.#acting = acting
    return acting
  }

  async #endingOnFailure<Result>(
    act: () => Promise<Result>,
    next: 'open' | 'ended',
  ): Promise<Result> {
    try {
      const result = await act()
      this.#state = next
      return result
    } catch (error) {
      // Whoever asks hears why it failed; that it could not be tidied up, too, helps nobody: the next
      // attempt does so, the next start, or time.
      await this.#end().catch(() => {})
      throw error
    }
  }

  #end(): Promise<void> {
    this.#state = 'ended'
    return this.#remove()
  }
}
