/**
 * The way to a destination's server and back. The server stands outside the machine, so that a request
 * on its way when a process dies still arrives. What goes wrong, and why the engine is expected to
 * survive it:
 *
 * - A request is refused as a whole without effect: 503 (tried again, sometimes not before the server
 *   allows it), 401 (the stream brakes) or 413 (refused for good).
 * - The answer is lost when all has been done, or the connection is cut when half of it has arrived,
 *   which may be done at once or later: the fate of the request is unknown, and only a repeat can tell.
 * - A request hangs until its caller gives up, then is done all the same, any time later, beside the
 *   repeats of it and after them.
 */
import { DeliveryError } from '../../src/destination.ts'
import type { Chance } from './chance.ts'
import type { Owner, Scheduler } from './scheduler.ts'
import { THE_WORLD } from './scheduler.ts'

/** Probabilities. */
export interface NetworkFaults {
  readonly unavailable: number
  readonly unauthorized: number
  readonly tooLarge: number
  readonly answerLost: number
  readonly cut: number
  readonly hangs: number
}

export const NO_NETWORK_FAULTS: NetworkFaults = {
  unavailable: 0,
  unauthorized: 0,
  tooLarge: 0,
  answerLost: 0,
  cut: 0,
  hangs: 0,
}

/** How long a client waits for an answer. */
const REQUEST_MS_MAX = 30_000
const RETRY_AFTER_MS = 7_000

const NONE = { retryable: true, effect: 'none' } as const
const UNKNOWN = { retryable: true, effect: 'unknown' } as const

export interface NetworkRequest<Answer> {
  readonly name: string
  /** Whose request it is; a dead process gets no answer. */
  readonly owner: Owner
  readonly signal: AbortSignal
  /** What the server does when the request, or the first `share` of it, reaches it. */
  act(share: number): Answer
}

export class SimulatedNetwork {
  faults = NO_NETWORK_FAULTS
  readonly #scheduler: Scheduler
  readonly #chance: Chance

  constructor(scheduler: Scheduler, chance: Chance) {
    this.#scheduler = scheduler
    this.#chance = chance
  }

  /** @throws DeliveryError */
  async send<Answer>(request: NetworkRequest<Answer>): Promise<Answer> {
    const chance = this.#chance
    const { unavailable, unauthorized, tooLarge, answerLost, cut, hangs } = this.faults
    const arrivesAfterMs = chance.happens(0.05) ? 3_000 : chance.between(1, 60)
    if (chance.happens(unavailable)) {
      await this.#wait(request, '503', arrivesAfterMs)
      const retryAfterMs = chance.happens(0.3) ? { retryAfterMs: RETRY_AFTER_MS } : {}
      throw new DeliveryError('503', 'Cannot send: unavailable', { ...NONE, ...retryAfterMs })
    }
    if (chance.happens(unauthorized)) {
      await this.#wait(request, '401', arrivesAfterMs)
      throw new DeliveryError('401', 'Cannot send: unauthorized', { ...NONE, brake: true })
    }
    if (chance.happens(tooLarge)) {
      await this.#wait(request, '413', arrivesAfterMs)
      throw new DeliveryError('413', 'Cannot send: too large', { ...NONE, retryable: false })
    }
    if (chance.happens(hangs)) {
      void this.#act(request, chance.between(1, 4 * REQUEST_MS_MAX), 1)
      await this.#hang(request)
      throw new DeliveryError('Timeout', 'Cannot send: no answer', UNKNOWN)
    }
    if (chance.happens(cut)) {
      const lingersMs = chance.happens(0.3) ? chance.between(1, 2 * REQUEST_MS_MAX) : 0
      void this.#act(request, arrivesAfterMs + lingersMs, 0.5)
      await this.#wait(request, 'cut', arrivesAfterMs + chance.between(-20, 20))
      throw new DeliveryError('ConnectionReset', 'Cannot send: connection was reset', UNKNOWN)
    }
    const answered = this.#act(request, arrivesAfterMs, 1)
    await this.#wait(request, 'answered', arrivesAfterMs + chance.between(0, 20))
    if (chance.happens(answerLost)) {
      throw new DeliveryError('AnswerLost', 'Cannot send: the answer was lost', UNKNOWN)
    }
    return answered
  }

  #act<Answer>(request: NetworkRequest<Answer>, delayMs: number, share: number): Promise<Answer> {
    return new Promise((resolve) => {
      this.#scheduler.after(delayMs, THE_WORLD, `${request.name} is done`, () =>
        resolve(request.act(share)),
      )
    })
  }

  #wait({ name, owner }: NetworkRequest<unknown>, answer: string, delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#scheduler.after(delayMs, owner, `${name} ${answer}`, resolve)
    })
  }

  #hang({ name, owner, signal }: NetworkRequest<unknown>): Promise<void> {
    return new Promise((resolve) => {
      this.#scheduler.after(REQUEST_MS_MAX, owner, `${name} timed out`, resolve)
      signal.addEventListener('abort', () => resolve())
    })
  }
}
