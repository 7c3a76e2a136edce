import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import type { Json } from '../base/json.ts'
import { CLIENT_HELP, CLIENT_OPTIONS, withClient } from './client.ts'
import { CommandError, print, printJson, takePositionals, textFlag, usageError } from './command.ts'
import type { Command } from './command.ts'
import { EXIT } from './exit-code.ts'

/** As much of a record as is shown on a line. */
const TEXT_CHARACTERS_MAX = 200

/** What the service answers (api/rest/explain.ts). */
interface Answer {
  readonly Stages: readonly AnsweredStage[]
  readonly Outputs: readonly AnsweredOutput[]
  readonly OutputCount: number
}

interface AnsweredStage {
  readonly Name: string
  readonly Records: readonly (AnsweredBytes & { readonly PartitionKeys?: Json })[]
  readonly RecordCount: number
  readonly DroppedCount: number
  readonly Failures: readonly AnsweredFailure[]
  readonly FailedCount: number
}

interface AnsweredOutput {
  readonly Kind: string
  readonly Accounting: string
  readonly Target: Json
  readonly SizeBytes: number
  readonly Content?: AnsweredBytes & { readonly Format: string }
  readonly Records?: readonly ((AnsweredBytes & { readonly Item: Json }) | AnsweredFailure)[]
}

interface AnsweredBytes {
  readonly Text?: string
  /** Base64. */
  readonly Data?: string
}

interface AnsweredFailure {
  readonly ErrorCode: string
  readonly ErrorMessage: string
}

export const explain: Command = {
  usage: 'explain --stream <name> --record <file>',
  summary: 'say what would become of a record, stage by stage',
  help: `Takes a record through the stream's processors and its encoding, and sends nothing: what each stage
makes of it, its partition keys, the object key, document or row that it would be, or the error that
it would get. A function that the stream calls is really called; what only the destination can find
out (a mapping, a constraint) is not. Ids and object names are those of a batch that is made up.

  --stream NAME   whose configuration counts
  --record FILE   holds the record, as it is; - is standard input
  --json          all of it, as JSON
${CLIENT_HELP}`,
  options: {
    ...CLIENT_OPTIONS,
    stream: { type: 'string' },
    record: { type: 'string' },
    json: { type: 'boolean' },
  },
  async run(invocation) {
    takePositionals(invocation, [])
    const streamName = textFlag(invocation, 'stream')
    const file = textFlag(invocation, 'record')
    if (streamName === undefined) throw usageError('Cannot explain: --stream is missing')
    if (file === undefined) throw usageError('Cannot explain: --record is missing')
    const record = await readRecord(file)
    return withClient(invocation, async (client) => {
      const path = `/streams/${encodeURIComponent(streamName)}/explain`
      const explanation = await client.call('POST', path, record)
      if (invocation.flags['json'] === true) printJson(explanation)
      else for (const line of linesOf(explanation as unknown as Answer)) print(line)
      return EXIT.ok
    })
  },
}

async function readRecord(file: string): Promise<Buffer> {
  if (file === '-') return buffer(process.stdin)
  try {
    return await readFile(file)
  } catch (cause) {
    throw new CommandError(`Cannot read the record: ${(cause as Error).message}`, EXIT.failed, {
      cause,
    })
  }
}

function* linesOf({ Stages, Outputs, OutputCount }: Answer): Generator<string> {
  for (const stage of Stages) {
    yield `${stage.Name}: ${countsOf(stage)}`
    for (const record of stage.Records) {
      yield `  ${textOf(record)}`
      const keys = record.PartitionKeys
      if (keys !== undefined) yield `    partition keys ${JSON.stringify(keys)}`
    }
    for (const failure of stage.Failures) yield `  ${failureOf(failure)}`
  }
  for (const output of Outputs) yield* linesOfOutput(output)
  const leftCount = OutputCount - Outputs.length
  if (leftCount > 0) yield `and ${leftCount} outputs more`
}

function* linesOfOutput(output: AnsweredOutput): Generator<string> {
  const { Kind, Accounting, Target, SizeBytes, Content, Records = [] } = output
  yield `${Kind} (${Accounting}): ${JSON.stringify(Target)}`
  for (const record of Records) {
    yield 'Item' in record
      ? `  ${[JSON.stringify(record.Item), textOf(record)].join(' ').trimEnd()}`
      : `  ${failureOf(record)}`
  }
  if (Content === undefined) return
  const format = Content.Format === 'UNCOMPRESSED' ? '' : ` of ${Content.Format}`
  const text = textOf(Content)
  yield `  ${SizeBytes} bytes${format}${text === '' ? '' : `: ${text}`}`
}

function countsOf({ RecordCount, DroppedCount, FailedCount }: AnsweredStage): string {
  const counts = [
    { count: RecordCount, what: 'out' },
    { count: DroppedCount, what: 'dropped' },
    { count: FailedCount, what: 'failed' },
  ]
  const told = counts.filter(({ count }) => count > 0)
  return told.map(({ count, what }) => `${count} ${what}`).join(', ') || 'nothing comes out'
}

function failureOf({ ErrorCode, ErrorMessage }: AnsweredFailure): string {
  return `${ErrorCode}: ${ErrorMessage}`
}

/** Bytes that are no text are shown in base64; empty where there are none to show. */
function textOf({ Text, Data }: AnsweredBytes): string {
  const text = JSON.stringify(Text ?? Data) ?? ''
  const isWhole = text.length <= TEXT_CHARACTERS_MAX
  return isWhole ? text : `${text.slice(0, TEXT_CHARACTERS_MAX)}…`
}
