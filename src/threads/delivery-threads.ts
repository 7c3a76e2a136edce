import { Worker } from 'node:worker_threads'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { DeliveryHost } from '../pipeline/delivery-host.ts'
import type { ThreadMessage } from './port-delivery-host.ts'
import { ThreadCalls } from './port-delivery-host.ts'

/** A thread that died is started again after this pause, so that a fault at start does not spin. */
const RESTART_PAUSE_MS = 1_000
/**
 * Left to itself, V8 makes it up to four times as large: then a thread that processes records holds 50
 * to 90 MiB more garbage at its peak, for no less work.
 */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 48 }

export interface DeliveryThreadsOptions {
  readonly host: DeliveryHost
  /** A drain claims no more, though something is due: other processes go on with it. */
  readonly leavesRest: boolean
  /** Module of the thread's composition root. */
  readonly module: URL
  /** What the threads are told at start; must be cloneable. */
  readonly workerData: object
  readonly threadCount: number
  readonly clock: Clock
  readonly logger: Logger
}

/** The pool of worker threads that claim, encode and deliver. */
export class DeliveryThreads {
  readonly #options: DeliveryThreadsOptions

  constructor(options: DeliveryThreadsOptions) {
    this.#options = options
  }

  /**
   * Keeps the threads running. Once `draining` aborts they deliver what is due and end; once
   * `aborted` aborts they give up what they have and end at once.
   */
  async run(draining: AbortSignal, aborted: AbortSignal): Promise<void> {
    const slots = Array.from({ length: this.#options.threadCount }, () =>
      this.#keepOne(draining, aborted),
    )
    await Promise.all(slots)
  }

  async #keepOne(draining: AbortSignal, aborted: AbortSignal): Promise<void> {
    while (!draining.aborted) {
      await this.#runOne(draining, aborted)
      if (!draining.aborted) await this.#options.clock.sleep(RESTART_PAUSE_MS, draining)
    }
  }

  /** One life of one thread, to its end. */
  async #runOne(draining: AbortSignal, aborted: AbortSignal): Promise<void> {
    const { host, leavesRest, module, workerData, logger } = this.#options
    const calls = new ThreadCalls(host, draining, leavesRest)
    const worker = new Worker(module, { workerData, resourceLimits: RESOURCE_LIMITS })
    const abort = (): void => worker.postMessage('abort')
    aborted.addEventListener('abort', abort)
    worker.on('message', (message: ThreadMessage) => {
      if ('log' in message) {
        const [level, fields, text] = message.log
        logger[level](fields, text)
        return
      }
      if ('observed' in message) {
        host.observe(...message.observed)
        return
      }
      void calls.answer(message).then((answer) => worker.postMessage(answer))
    })
    worker.on('error', (error) => logger.error({ error }, 'A delivery thread failed.'))
    await new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    aborted.removeEventListener('abort', abort)
    await calls.giveBack().catch((error: unknown) => {
      logger.error({ error }, 'What a dead thread had in hand was not given back.')
    })
  }
}
