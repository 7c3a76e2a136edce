/**
 * What runs in a function's thread: loads its module from the sources it was started with, and calls
 * the handler as AWS Lambda does, once for each message.
 */
import { strict as assert } from 'node:assert'
import { registerHooks } from 'node:module'
import { getHeapStatistics } from 'node:v8'
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../base/clock.ts'
import type { TransformationEvent } from '../functions.ts'
import { ANSWER_BYTES_MAX } from './function-answer.ts'
import { answersPacked, jsonAnswer, packAnswer, unpackEvent } from './packed-records.ts'
import type { PackedAnswer } from './packed-records.ts'
import { BoundedLog, redirectConsole } from './thread-console.ts'
import type { Invocation, ThreadData, ThreadFailure, ThreadMessage } from './thread-protocol.ts'

type Callback = (error: unknown, answer?: unknown) => void
type Handler = (event: unknown, context: object, callback: Callback) => unknown

const MESSAGE_CHARACTERS_MAX = 2_000

assert(parentPort !== null)
const port = parentPort
const data = workerData as ThreadData
const log = new BoundedLog(systemClock, (level, text) => post({ kind: 'log', level, text }))

redirectConsole(log.write)
serveSources(data.sources)
const loading = loadHandler(data.module)
// It is told to whoever invokes.
loading.catch(() => {})
port.on('message', (invocation: Invocation) => void answer(invocation))

function post(message: ThreadMessage, transferred: readonly ArrayBuffer[] = []): void {
  port.postMessage(message, transferred)
}

function serveSources(sources: ThreadData['sources']): void {
  registerHooks({
    resolve(specifier, context, next) {
      if (!/^(?:\.|\/|file:)/.test(specifier)) return next(specifier, context)
      const { href } = new URL(specifier, context.parentURL)
      const held = sources.get(href)
      if (held === undefined) return next(specifier, context)
      return { url: href, format: held.format, shortCircuit: true }
    },
    load(url, context, next) {
      const held = sources.get(url)
      return held === undefined ? next(url, context) : { ...held, shortCircuit: true }
    },
  })
}

async function loadHandler(module: string): Promise<Handler> {
  const exported = (await import(module)) as { handler?: unknown; default?: { handler?: unknown } }
  const handler = exported.handler ?? exported.default?.handler
  if (typeof handler !== 'function') {
    throw Object.assign(new Error('the module exports no function named handler'), {
      name: 'Runtime.HandlerNotFound',
    })
  }
  return handler as Handler
}

async function answer(invocation: Invocation): Promise<void> {
  let handler: Handler
  try {
    handler = await loading
  } catch (error) {
    return post(failureOf(error, true))
  }
  try {
    const value = await call(handler, invocation)
    const packed = pack(value, answersPacked(invocation.event) ? packAnswer : jsonAnswer)
    if (packed.sizeBytes > ANSWER_BYTES_MAX) return post(oversize(packed.sizeBytes))
    const { used_heap_size, external_memory } = getHeapStatistics()
    const heldBytes = used_heap_size + external_memory
    post({ kind: 'answer', answer: packed, heldBytes }, [packed.bytes.buffer])
  } catch (error) {
    post(failureOf(error, false))
  }
}

/** With three parameters and no promise in return, the handler answers by its callback. */
function call(handler: Handler, invocation: Invocation): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const callback: Callback = (error, result) => {
      if (error === undefined || error === null) resolve(result)
      else reject(error)
    }
    const event = unpackEvent(invocation.event)
    const returned = handler(event, contextOf(event, invocation), callback)
    if (handler.length < 3 || returned !== undefined) resolve(returned)
  })
}

function contextOf(
  { invocationId }: TransformationEvent,
  { functionArn, deadlineMs }: Invocation,
): object {
  const { functionName, memoryMB } = data
  return {
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: functionArn,
    memoryLimitInMB: String(memoryMB),
    awsRequestId: invocationId,
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: 'standpipe',
    callbackWaitsForEmptyEventLoop: false,
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - systemClock.nowMs()),
  }
}

function pack(value: unknown, asAnswer: (value: unknown) => PackedAnswer): PackedAnswer {
  try {
    return asAnswer(value)
  } catch (error) {
    const message = `the answer is not JSON: ${error instanceof Error ? error.message : 'unknown'}`
    throw Object.assign(new Error(message), { name: 'Runtime.MarshalError' })
  }
}

function oversize(sizeBytes: number): ThreadFailure {
  const errorMessage = `the answer has ${sizeBytes} bytes, more than ${ANSWER_BYTES_MAX}`
  const errorType = 'Function.ResponseSizeTooLarge'
  return { kind: 'failure', errorType, errorMessage, isLoadFailure: false }
}

/** The stack is for the function's log, as Lambda's runtime writes it there. */
function failureOf(error: unknown, isLoadFailure: boolean): ThreadFailure {
  const { errorType, errorMessage, stack } = describe(error)
  if (stack !== undefined) log.write('warn', stack)
  const message = errorMessage.slice(0, MESSAGE_CHARACTERS_MAX)
  return { kind: 'failure', errorType, errorMessage: message, isLoadFailure }
}

/** Anything may be thrown, even what can't be made into text. */
function describe(error: unknown): { errorType: string; errorMessage: string; stack?: string } {
  try {
    if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error) }
    const { name, message, stack } = error as { name: unknown; message: unknown; stack?: unknown }
    const said = { errorType: String(name), errorMessage: String(message) }
    return typeof stack === 'string' ? { ...said, stack } : said
  } catch {
    return { errorType: typeof error, errorMessage: 'unknown' }
  }
}
