import { isJsonObject } from '../base/json.ts'
import type { Json, JsonObject } from '../base/json.ts'
import { CLIENT_HELP, CLIENT_OPTIONS, withClient } from './client.ts'
import { columns } from './columns.ts'
import { print, printJson, takePositionals, usageError } from './command.ts'
import type { Command, Invocation } from './command.ts'
import { EXIT } from './exit-code.ts'

export const functions: Command = {
  usage: 'functions list | functions test <name> --event <file>',
  summary: 'show how functions do, or try one out',
  help: `  list          the functions that streams have called since the service started, with times and failures
  test <name>   invokes a function here, without a service: the module, URL or Lambda that the settings
                have for its name; prints what became of each record. Exit code 1 when it fails

Of list:
  --json               as JSON
${CLIENT_HELP}

Of test:
  --event FILE         the event as AWS sends it, {"records": [{"recordId", "data", …}]}, data in base64
  --records            FILE holds raw records instead, one a line
  --timeout MS         instead of functionTimeoutMs
  --functions-dir DIR  where the modules are; by default as the settings say
  --config FILE        settings file, as the service has it
  --json               the answer as JSON

What the function writes goes to stderr.`,
  options: {
    ...CLIENT_OPTIONS,
    event: { type: 'string' },
    records: { type: 'boolean' },
    timeout: { type: 'string' },
    'functions-dir': { type: 'string' },
    json: { type: 'boolean' },
  },
  async run(invocation) {
    const [action] = invocation.positionals
    if (action === 'list') return await list(invocation)
    if (action !== 'test') throw usageError('Cannot run: functions needs list or test')
    // Loaded here, so that list does not wait for it.
    const { tryFunction } = await import('./function-trial.ts')
    return await tryFunction(invocation)
  },
}

const HEADINGS = [
  'FUNCTION',
  'STREAM',
  'CALLS',
  'FAILED',
  'RECORDS',
  'P50 MS',
  'P99 MS',
  'MAX MS',
  'LAST FAILURE',
]

async function list(invocation: Invocation): Promise<number> {
  takePositionals(invocation, ['list'])
  return await withClient(invocation, async (client) => {
    const answer = await client.call('GET', '/functions')
    const reports = Array.isArray(answer['Functions']) ? answer['Functions'] : []
    if (invocation.flags['json'] === true) printJson(answer)
    else if (reports.length === 0) print('No function was called since the service started.')
    else print(columns([HEADINGS, ...reports.filter(isJsonObject).map(rowOf)]))
    return EXIT.ok
  })
}

function rowOf(report: JsonObject): string[] {
  const durations = isJsonObject(report['DurationMs']) ? report['DurationMs'] : {}
  const names = ['Name', 'DeliveryStreamName', 'InvocationCount', 'FailureCount', 'RecordCount']
  return [
    ...names.map((name) => inWords(report[name])),
    ...['P50', 'P99', 'Max'].map((name) => tenths(durations[name])),
    failureOf(report['LastFailure']),
  ]
}

function inWords(value: Json | undefined): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '-')
}

function tenths(value: Json | undefined): string {
  return typeof value === 'number' ? String(Math.round(value * 10) / 10) : '-'
}

function failureOf(failure: Json | undefined): string {
  if (!isJsonObject(failure)) return '-'
  const { ErrorCode, Timestamp } = failure
  return `${inWords(ErrorCode)} at ${new Date(Number(Timestamp) * 1_000).toISOString()}`
}
