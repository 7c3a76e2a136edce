/**
 * The thread that jq runs in. What a query may take is limited: its memory and output in jq-instance.ts,
 * its time by whoever ends the thread (jq-worker.ts).
 *
 * One call of jq costs 0.7 ms whatever its input, so that many records go into one, a line each. The
 * program is put into `try [ … ] catch {e: .}`, which prints one line for each record: the results,
 * or the error. A program that reads inputs itself, or halts, prints fewer lines: such a call fails as
 * a whole, and the engine runs its records one by one.
 *
 * A record is one JSON text. It is read here first, strictly, so that whatever it is concerns its own
 * line only, and written again, which makes its numbers the doubles that jq 1.6 has (jq-web keeps the
 * digits of numbers that it doesn't calculate with). One thing is lost: of an object, members whose
 * names are whole numbers come first.
 */
import { strict as assert } from 'node:assert'
import { parentPort, workerData } from 'node:worker_threads'
import type { JqAnswer, JqCall, JqFailure, JqResult, JqRun } from './jq-call.ts'
import { Jq, JqRefusal } from './jq-instance.ts'
import { NOT_JSON, recordText } from './json-record.ts'

const { memoryBytes } = workerData as { memoryBytes: number }
/** Room for fifty partition keys of 256 characters. */
const RESULT_LENGTH_MAX = 16_384
const OUTPUT_BYTES_MAX = 8 * 1024 * 1024
/**
 * Numbers that are not the same when JavaScript writes them: those beyond its range, and negative
 * zero. Where there may be one, the record goes to jq as it is.
 */
const UNWRITABLE_NUMBER = /(?:^|[\s:,[])(?:-0|-?\d+(?:\.\d+)?[eE]\+?\d{3}|-?\d{309})/
const BACKSLASH = String.raw`\\`
const HALF_PAIR = /\\\\|\\ud[89a-f][0-9a-f]{2}/g
const NO_RESULT = 'The query ended without a result'

const jq = await Jq.load({ memoryBytes, outputBytes: OUTPUT_BYTES_MAX })

const port = parentPort
assert(port !== null, 'jq-thread.ts is the module of a worker thread')
port.on('message', (call: JqCall) => port.postMessage(answer(call)))
port.postMessage({ kind: 'ready' } satisfies JqAnswer)

function answer(call: JqCall): JqAnswer {
  try {
    if (call.kind === 'run') return run(call)
    // Alone first: `1] | [2` is no program, though it would be one in brackets.
    jq.run(` ${call.query}`, '')
    jq.run(enclosed(call.query), '')
    return { kind: 'compiled' }
  } catch (error) {
    return failureOf(error)
  }
}

function run({ query, bytes, ends }: JqRun): JqAnswer {
  const records = Buffer.from(bytes.buffer)
  const lines = ends.map((end, index) => lineOf(records.subarray(ends[index - 1] ?? 0, end)))
  const inputs = lines.filter((line) => line !== undefined)
  const outputs = inputs.length === 0 ? [] : runLines(query, inputs)
  if (outputs.length !== inputs.length) return failure(NO_RESULT, false)
  let next = 0
  const results = lines.map((line) =>
    line === undefined ? { error: NOT_JSON } : resultOf(outputs[next++] ?? ''),
  )
  return { kind: 'results', results }
}

function runLines(query: string, inputs: readonly string[]): readonly string[] {
  // Each line ends by a line feed.
  return jq.run(enclosed(query), inputs.join('\n')).split('\n').slice(0, -1)
}

/** The line feeds end a comment at the query's end. */
function enclosed(query: string): string {
  return `try [\n${query}\n] catch {e: .}`
}

/** Undefined when the record is no JSON. */
function lineOf(record: Buffer): string | undefined {
  const text = recordText(record)
  try {
    const value: unknown = JSON.parse(text)
    // Between its tokens, JSON may hold line breaks; within strings, never.
    return UNWRITABLE_NUMBER.test(text) ? text.replaceAll(/[\r\n]/g, ' ') : written(value)
  } catch {
    return undefined
  }
}

/** Halves of surrogate pairs, the only ones that are written as such escapes, are no JSON for jq. */
function written(value: unknown): string {
  return JSON.stringify(value).replaceAll(HALF_PAIR, (escape) =>
    escape === BACKSLASH ? escape : '\ufffd',
  )
}

function resultOf(line: string): JqResult {
  if (line.length > RESULT_LENGTH_MAX) {
    return { error: `The query's result is longer than ${RESULT_LENGTH_MAX} characters` }
  }
  const printed = JSON.parse(line)
  if (!Array.isArray(printed)) return { error: errorText(printed.e) }
  if (printed.length === 1) return { value: printed[0] }
  return { error: `The query has ${printed.length} results instead of one` }
}

/** An error may be any value; mostly it is text. */
function errorText(thrown: unknown): string {
  return typeof thrown === 'string' ? thrown : JSON.stringify(thrown)
}

function failureOf(error: unknown): JqFailure {
  if (error instanceof JqRefusal) return failure(complaint(error.message), false)
  return failure(`jq was stopped: ${(error as Error).message}`, true)
}

/** Without what is of the command line: the program's name, the name of a file, the count of errors. */
function complaint(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => !/^jq: \d+ compile errors?$/.test(line))
  const text = lines
    .join(' ')
    .replaceAll(/jq: (?:error(?: \(at [^)]*\))?: )?/g, '')
    .trim()
  return text === '' ? NO_RESULT : text
}

function failure(message: string, isSpent: boolean): JqFailure {
  return { kind: 'failure', message, isSpent }
}
