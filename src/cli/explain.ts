import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import type { Json, JsonObject } from '../base/json.ts'
import { CLIENT_HELP, CLIENT_OPTIONS, withClient } from './client.ts'
import { CommandError, print, printJson, takePositionals, textFlag, usageError } from './command.ts'
import type { Command } from './command.ts'
import { EXIT } from './exit-code.ts'

/** As much of a record as is shown on a line. */
const TEXT_CHARACTERS_MAX = 200

export const explain: Command = {
  usage: 'explain --stream <name> --record <file>',
  summary: 'say what would become of a record, stage by stage',
  help: `Takes a record through the stream's processors and its encoding, and sends nothing: what each stage
makes of it, its partition keys, the object key, document or row that it would be, or the error that
it would get. A function that the stream calls is really called.

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
      else for (const line of linesOf(explanation)) print(line)
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

function* linesOf(explanation: JsonObject): Generator<string> {
  for (const stage of objectsOf(explanation['Stages'])) {
    yield `${String(stage['Name'])}: ${countsOf(stage)}`
    for (const record of objectsOf(stage['Records'])) {
      yield `  ${textOf(record)}`
      const keys = record['PartitionKeys']
      if (keys !== undefined) yield `    partition keys ${JSON.stringify(keys)}`
    }
    for (const failure of objectsOf(stage['Failures'])) yield `  ${failureOf(failure)}`
  }
  for (const output of objectsOf(explanation['Outputs'])) {
    const accounting = String(output['Accounting'])
    yield `${String(output['Kind'])} (${accounting}): ${JSON.stringify(output['Target'])}`
    for (const record of objectsOf(output['Records'])) {
      const item = record['Item']
      yield `  ${item === undefined ? failureOf(record) : JSON.stringify(item)}`
    }
    const [content] = objectsOf([output['Content'] ?? null])
    if (content !== undefined) yield `  ${String(output['SizeBytes'])} bytes: ${textOf(content)}`
  }
}

function countsOf(stage: JsonObject): string {
  const counts = [
    [stage['RecordCount'], 'out'],
    [stage['DroppedCount'], 'dropped'],
    [stage['FailedCount'], 'failed'],
  ]
  const told = counts.filter(([count]) => Number(count) > 0)
  return told.map((pair) => pair.join(' ')).join(', ') || 'nothing comes out'
}

function failureOf(failure: JsonObject): string {
  return `${String(failure['ErrorCode'])}: ${String(failure['ErrorMessage'])}`
}

/** Bytes that are no text are shown in base64. */
function textOf(bytes: JsonObject): string {
  const text = JSON.stringify(bytes['Text'] ?? bytes['Data'])
  const isWhole = text.length <= TEXT_CHARACTERS_MAX
  return isWhole ? text : `${text.slice(0, TEXT_CHARACTERS_MAX)}…`
}

function objectsOf(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? (value.filter((item) => item !== null) as JsonObject[]) : []
}
