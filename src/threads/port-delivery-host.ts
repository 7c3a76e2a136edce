/**
 * DeliveryHost over a MessagePort: the worker thread's side and its counterpart.
 *
 *   thread → node   { call, method, args }       a request, numbered by the thread
 *                   { log: [level, fields, message] }
 *                   { observed: [stream id, execution] }
 *   node → thread   { call, value | error }      its answer
 *                   'abort'                      give up what is in hand
 *
 * Draining needs no message: the node answers `claim` with undefined, and the thread ends.
 */
import type { MessagePort } from 'node:worker_threads'
import type { Logger } from '../base/logger.ts'
import type { Claim, Failure, Retry } from '../delivery-queue.ts'
import type { ClaimedBatch, DeliveryHost } from '../pipeline/delivery-host.ts'
import type { Execution } from '../processor.ts'
import type { Receipt } from '../receipt.ts'

type Method = Exclude<keyof DeliveryHost, 'observe'>
type Level = keyof Logger

export interface ThreadCall {
  readonly call: number
  readonly method: Method
  readonly args: readonly unknown[]
}

export interface ThreadLog {
  readonly log: readonly [Level, object, string]
}

export interface ThreadObservation {
  readonly observed: readonly [string, Execution]
}

export type ThreadMessage = ThreadCall | ThreadLog | ThreadObservation

export type NodeMessage =
  | { readonly call: number; readonly value: unknown }
  | { readonly call: number; readonly error: unknown }
  | 'abort'

interface Waiting {
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** The thread's side. */
export class PortDeliveryHost implements DeliveryHost {
  readonly #port: MessagePort
  readonly #waiting = new Map<number, Waiting>()
  readonly #abort = new AbortController()
  #calls = 0

  constructor(port: MessagePort) {
    this.#port = port
    port.on('message', (message: NodeMessage) => this.#receive(message))
  }

  /** Aborts when the node says so. */
  get aborted(): AbortSignal {
    return this.#abort.signal
  }

  readonly logger: Logger = {
    debug: (fields, message) => this.#log('debug', fields, message),
    info: (fields, message) => this.#log('info', fields, message),
    warn: (fields, message) => this.#log('warn', fields, message),
    error: (fields, message) => this.#log('error', fields, message),
  }

  /** The signal stays on this side: the node knows by itself when no more is to be claimed. */
  claim(_signal: AbortSignal): Promise<ClaimedBatch | undefined> {
    return this.#call('claim', []) as Promise<ClaimedBatch | undefined>
  }

  async commit(claim: Claim, receipt: Receipt, mostlyRefused: boolean): Promise<void> {
    await this.#call('commit', [claim, receipt, mostlyRefused])
  }

  async retry(claim: Claim, retry: Retry): Promise<void> {
    await this.#call('retry', [claim, retry])
  }

  async park(claim: Claim, failure: Failure): Promise<void> {
    await this.#call('park', [claim, failure])
  }

  async release(claim: Claim): Promise<void> {
    await this.#call('release', [claim])
  }

  async lend(claim: Claim): Promise<void> {
    await this.#call('lend', [claim])
  }

  observe(streamId: string, execution: Execution): void {
    this.#send({ observed: [streamId, execution] })
  }

  close(): void {
    this.#port.close()
  }

  #call(method: Method, args: readonly unknown[]): Promise<unknown> {
    this.#calls += 1
    const call = this.#calls
    return new Promise((resolve, reject) => {
      this.#waiting.set(call, { resolve, reject })
      this.#send({ call, method, args })
    })
  }

  #log(level: Level, fields: object, message: string): void {
    this.#send({ log: [level, fields, message] })
  }

  #send(message: ThreadMessage): void {
    this.#port.postMessage(message)
  }

  #receive(message: NodeMessage): void {
    if (message === 'abort') {
      this.#abort.abort()
      return
    }
    const waiting = this.#waiting.get(message.call)
    this.#waiting.delete(message.call)
    if ('error' in message) waiting?.reject(message.error)
    else waiting?.resolve(message.value)
  }
}

/**
 * The node's side of one thread: answers its calls from the real host, and knows which claims the
 * thread holds, so that they can be given back when it dies.
 */
export class ThreadCalls {
  readonly #host: DeliveryHost
  readonly #draining: AbortSignal
  readonly #leavesRest: boolean
  readonly #held = new Map<string, Claim>()
  #gone = false

  /** @param leavesRest a drain claims no more, though something is due: others go on with it */
  constructor(host: DeliveryHost, draining: AbortSignal, leavesRest: boolean) {
    this.#host = host
    this.#draining = draining
    this.#leavesRest = leavesRest
  }

  /** Never rejects: what fails, fails for the thread. */
  async answer(message: ThreadCall): Promise<NodeMessage> {
    const { call } = message
    try {
      return { call, value: await this.#perform(message) }
    } catch (error) {
      return { call, error }
    }
  }

  /** The thread is dead: what it held is tried again, by another. */
  async giveBack(): Promise<void> {
    this.#gone = true
    await Promise.all([...this.#held.values()].map((claim) => this.#release(claim)))
  }

  async #perform({ method, args }: ThreadCall): Promise<unknown> {
    if (method === 'claim') return this.#claim()
    const [claim, ...details] = args as [Claim, never, never]
    await this.#host[method](claim, ...details)
    if (method !== 'lend') this.#held.delete(claim.token)
    return undefined
  }

  async #claim(): Promise<ClaimedBatch | undefined> {
    if (this.#leavesRest && this.#draining.aborted) return undefined
    const claimed = await this.#host.claim(this.#draining)
    if (claimed === undefined) return undefined
    this.#held.set(claimed.claim.token, claimed.claim)
    if (this.#gone) await this.#release(claimed.claim)
    return claimed
  }

  async #release(claim: Claim): Promise<void> {
    this.#held.delete(claim.token)
    await this.#host.retry(claim, {
      errorCode: 'InternalError',
      errorMessage: 'The worker thread that had the batch died',
      afterMs: 1_000,
      streamAfterMs: 1_000,
      brake: false,
    })
  }
}
