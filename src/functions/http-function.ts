/**
 * A function behind a URL that speaks Lambda's invoke protocol, as the Runtime Interface Emulator in
 * AWS's base images does: POST of the event, answered with what the handler returned or threw.
 */
import { connect } from 'node:net'
import { Agent, request } from 'undici'
import type { Clock } from '../base/clock.ts'
import { InvocationError } from '../functions.ts'
import type { FunctionAnswer, TransformationEvent } from '../functions.ts'
import { functionError, withDeadline } from './deadline.ts'
import { ANSWER_BYTES_MAX, errorCodeOf, parseAnswer, reportedError } from './function-answer.ts'

/** Where the emulator listens, for a URL without a path. */
const INVOCATIONS_PATH = '/2015-03-31/functions/function/invocations'
const CONNECT_TIMEOUT_MS = 3_000
const EXCERPT_CHARACTERS = 200

export interface HttpFunctionsOptions {
  readonly timeoutMs: number
  readonly clock: Clock
}

/** All functions behind URLs; they share their connections. */
export class HttpFunctions {
  readonly #options: HttpFunctionsOptions
  // The deadline is ours.
  readonly #agent = new Agent({ allowH2: false, headersTimeout: 0, bodyTimeout: 0 })

  constructor(options: HttpFunctionsOptions) {
    this.#options = options
  }

  /** @throws InvocationError, or the signal's reason */
  async invoke(
    url: string,
    event: TransformationEvent,
    signal: AbortSignal,
  ): Promise<FunctionAnswer> {
    const body = JSON.stringify(event)
    return await withDeadline({ ...this.#options, signal }, async (ended) => {
      const { statusCode, isError, bytes } = await this.#post(url, body, ended)
      if (statusCode >= 300) throw refusal(statusCode, bytes)
      const answer = parseAnswer(bytes)
      const error = reportedError(answer.value)
      if (error !== undefined) throw error
      if (isError) throw functionError('Error', excerpt(bytes))
      return answer
    })
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  async #post(url: string, body: string, signal: AbortSignal) {
    try {
      const answer = await request(invocationUrl(url), {
        dispatcher: this.#agent,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        signal,
      })
      return {
        statusCode: answer.statusCode,
        isError: answer.headers['x-amz-function-error'] !== undefined,
        bytes: await readBounded(answer.body),
      }
    } catch (error) {
      if (signal.aborted || error instanceof InvocationError) throw error
      throw functionError('Network', reasonOf(error), error)
    }
  }
}

/** As given when it has a path. */
export function invocationUrl(url: string): string {
  const parsed = new URL(url)
  if (parsed.pathname === '/') parsed.pathname = INVOCATIONS_PATH
  return parsed.href
}

/**
 * Whether something takes connections there; more can't be asked without invoking the function.
 * @throws with the reason
 */
export async function tryToConnect(url: string, clock: Clock): Promise<void> {
  const { hostname, port, protocol } = new URL(url)
  const signal = new AbortController().signal
  await withDeadline({ clock, timeoutMs: CONNECT_TIMEOUT_MS, signal }, async (ended) => {
    const socket = connect({
      host: hostname.replaceAll(/^\[|\]$/g, ''),
      port: Number(port || (protocol === 'https:' ? 443 : 80)),
    })
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', () => resolve())
        socket.once('error', reject)
        ended.addEventListener('abort', () => reject(new Error('no answer')))
      })
    } finally {
      socket.destroy()
    }
  })
}

async function readBounded(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const blocks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const block of body) {
    sizeBytes += block.byteLength
    if (sizeBytes > ANSWER_BYTES_MAX) {
      const message = `the answer has more than ${ANSWER_BYTES_MAX} bytes`
      throw functionError('Function.ResponseSizeTooLarge', message)
    }
    blocks.push(block)
  }
  return Buffer.concat(blocks)
}

function refusal(statusCode: number, bytes: Buffer): InvocationError {
  return new InvocationError(
    errorCodeOf(statusCode),
    `HTTP status ${statusCode}: ${excerpt(bytes)}`,
  )
}

function excerpt(bytes: Buffer): string {
  return bytes.toString().slice(0, EXCERPT_CHARACTERS)
}

/** Node's errors of a connection that was tried on several addresses have no message of their own. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return message || code || 'unknown'
}
