/** `standpipe functions test`: one invocation, here, and what came of it in words. */
import { systemClock } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'
import type { Json } from '../base/json.ts'
import type { Logger } from '../base/logger.ts'
import { ConfigurationError } from '../destination.ts'
import { FunctionDirectory } from '../functions/function-directory.ts'
import { InvocationError } from '../functions.ts'
import type { FunctionAnswer, TransformationEvent } from '../functions.ts'
import { loadSettings } from '../settings.ts'
import type { Settings } from '../settings.ts'
import { columns } from './columns.ts'
import {
  CommandError,
  integerFlag,
  print,
  printJson,
  takePositionals,
  textFlag,
  usageError,
} from './command.ts'
import type { Invocation } from './command.ts'
import { EXIT } from './exit-code.ts'
import { eventOfLines, readEvent, surroundings } from './transformation-event.ts'

/** Invokes the function of the settings that has this name. */
export async function tryFunction(invocation: Invocation): Promise<number> {
  const [, name] = takePositionals(invocation, ['test', 'the name of the function'])
  const settings = settingsOf(invocation)
  const event = await eventOf(invocation, settings)
  const arn = `arn:aws:lambda:${settings.region}:${settings.accountId}:function:${name}`
  const functions = openFunctions(settings, integerFlag(invocation, 'timeout'))
  try {
    const found = await functions.find(arn)
    const startMs = systemClock.monotonicMs()
    const lease = await functions.lease(arn)
    const answer = await lease.invoke(event, new AbortController().signal)
    const durationMs = systemClock.monotonicMs() - startMs
    if (invocation.flags['json'] === true) printJson(answer.value)
    else print(describe(answer, `${found}, ${durationMs.toFixed(1)} ms`))
    return EXIT.ok
  } catch (error) {
    throw explained(error, name)
  } finally {
    await functions.close()
  }
}

function settingsOf(invocation: Invocation): Settings {
  const given = ['config', 'functions-dir'].flatMap((flag) => {
    const value = textFlag(invocation, flag)
    return value === undefined ? [] : [[flag, value]]
  })
  const { environment } = invocation
  const flags = Object.fromEntries(given) as Record<string, string>
  return loadSettings({ flags, environment, workingDirectory: process.cwd() }).settings
}

async function eventOf(invocation: Invocation, settings: Settings): Promise<TransformationEvent> {
  const path = textFlag(invocation, 'event')
  if (path === undefined) throw usageError('Cannot run: --event is missing')
  const read = invocation.flags['records'] === true ? eventOfLines : readEvent
  return await read(path, surroundings(settings, systemClock), systemClock)
}

function openFunctions(settings: Settings, timeoutMs: number | undefined): FunctionDirectory {
  return new FunctionDirectory({
    directory: settings.functionsDir,
    mapping: settings.functions,
    lambda: { endpoint: settings.lambdaEndpoint, region: settings.region },
    timeoutMs: timeoutMs ?? settings.functionTimeoutMs,
    memoryMB: settings.functionMemoryMB,
    clock: systemClock,
    logger: consoleLogger,
  })
}

/** What the function writes, and what is said about it, beside the answer on stdout. */
const consoleLogger: Logger = {
  debug() {},
  info: writeLine,
  warn: writeLine,
  error: writeLine,
}

function writeLine(fields: object, message: string): void {
  const text = 'line' in fields ? String(fields.line) : message
  process.stderr.write(`${text}\n`)
}

function describe({ value, sizeBytes }: FunctionAnswer, how: string): string {
  const records = isJsonObject(value) ? value['records'] : undefined
  if (!Array.isArray(records)) {
    throw new CommandError(`The answer has no records: ${excerpt(JSON.stringify(value))}`)
  }
  const heading = `${how}: ${records.length} records, ${sizeBytes} bytes`
  return [heading, columns(records.map(describeRecord))].join('\n')
}

function describeRecord(record: Json): string[] {
  if (!isJsonObject(record)) return ['?', '?', excerpt(JSON.stringify(record))]
  const { recordId, result, kafkaRecordValue, metadata } = record
  const { data = kafkaRecordValue } = record
  const keys = isJsonObject(metadata) ? metadata['partitionKeys'] : undefined
  return [
    inWords(recordId),
    inWords(result),
    typeof data === 'string' ? decoded(data) : '',
    ...(keys === undefined ? [] : [JSON.stringify(keys)]),
  ]
}

function inWords(value: Json | undefined): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '-')
}

/** Text as it is, without the line's end; of other bytes the number. */
function decoded(data: string): string {
  const bytes = Buffer.from(data, 'base64')
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return excerpt(text.replace(/\n$/, '').replaceAll('\n', String.raw`\n`))
  } catch {
    return `${bytes.byteLength} bytes, not UTF-8`
  }
}

function excerpt(text: string): string {
  const charactersMax = 1_000
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`
}

function explained(error: unknown, name: string): unknown {
  const options = { cause: error }
  if (error instanceof InvocationError) {
    const message = `${name} failed: ${error.errorCode}: ${error.message}`
    return new CommandError(message, EXIT.failed, options)
  }
  if (error instanceof ConfigurationError) {
    return new CommandError(error.message, EXIT.failed, options)
  }
  return error
}
