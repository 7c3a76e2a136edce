import { systemClock } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'
import { CLIENT_HELP, CLIENT_OPTIONS, withClient } from './client.ts'
import type { Client } from './client.ts'
import {
  CommandError,
  integerFlag,
  print,
  printJson,
  takePositionals,
  textFlag,
  usageError,
} from './command.ts'
import type { Command, Invocation } from './command.ts'
import { EXIT } from './exit-code.ts'
import { Progress } from './progress.ts'

const POLL_MS = 200

export const replay: Command = {
  usage: 'replay <stream>|<bucket>/<prefix>',
  summary: 'put refused or backed up records through a stream again',
  help: `Reads the error output of a stream, or the objects of a bucket whose keys begin with the prefix, and
puts the original records into the stream. A record of an object goes into a stream once, however
often it is replayed: a replay that was cut off is simply run again. Ends with 0 when all of it was
replayed. ^C cancels it.

  --to-stream NAME    where the records go; needed with a bucket, else the stream itself
  --format FORMAT     error: lines of JSON as Firehose writes errors; records: one a line. By default
                      error for a stream, else what each object begins with. With a stream, records
                      reads its backup
  --from T, --to T    errors that arrived in between, of backups the objects; 2026-11-21T10:00:00Z
  --error-code CODE   only errors with this code
  --rate N            at most N records a second
  --dry-run           count, and put nothing
  --json              the sums as JSON
${CLIENT_HELP}`,
  options: {
    ...CLIENT_OPTIONS,
    'to-stream': { type: 'string' },
    format: { type: 'string' },
    from: { type: 'string' },
    to: { type: 'string' },
    'error-code': { type: 'string' },
    rate: { type: 'string' },
    'dry-run': { type: 'boolean' },
    json: { type: 'boolean' },
  },
  async run(invocation) {
    const { streamName, body } = readInvocation(invocation)
    return withClient(invocation, async (client) => {
      const path = `/streams/${encodeURIComponent(streamName)}/replays`
      const begun = await client.call('POST', path, body)
      const ended = await follow(client, `${path}/${textOf(begun, 'ReplayId')}`, begun)
      if (invocation.flags['json'] === true) printJson(ended)
      else print(sumsOf(ended))
      if (ended['State'] === 'completed') return EXIT.ok
      const why = textOf(ended, 'Message') || 'it was cancelled'
      throw new CommandError(`Cannot replay all of it: ${why}`)
    })
  },
}

function readInvocation(invocation: Invocation): { streamName: string; body: JsonObject } {
  const [place] = takePositionals(invocation, ['a stream, or a bucket and prefix'])
  const toStream = textFlag(invocation, 'to-stream')
  const slash = place.indexOf('/')
  const isStream = slash === -1
  if (!isStream && toStream === undefined) {
    throw usageError('Cannot replay from a bucket: --to-stream is missing')
  }
  const body: JsonObject = {
    Source: isStream
      ? undefined
      : { Bucket: place.slice(0, slash), Prefix: place.slice(slash + 1) },
    ToStream: isStream ? toStream : undefined,
    Format: textFlag(invocation, 'format'),
    From: textFlag(invocation, 'from'),
    To: textFlag(invocation, 'to'),
    ErrorCode: textFlag(invocation, 'error-code'),
    RecordsPerSecond: integerFlag(invocation, 'rate'),
    DryRun: invocation.flags['dry-run'] === true,
  }
  return { streamName: isStream ? place : (toStream ?? ''), body }
}

async function follow(client: Client, path: string, begun: JsonObject): Promise<JsonObject> {
  const progress = new Progress(true, systemClock)
  const interrupted = new AbortController()
  const interrupt = (): void => interrupted.abort()
  process.once('SIGINT', interrupt)
  try {
    let replay = begun
    while (replay['State'] === 'running') {
      const message = textOf(replay, 'Message')
      progress.show(message === '' ? sumsOf(replay) : `${sumsOf(replay)}. ${message}`)
      await systemClock.sleep(POLL_MS, interrupted.signal)
      replay = await client.call(interrupted.signal.aborted ? 'DELETE' : 'GET', path)
    }
    return replay
  } finally {
    progress.end()
    process.removeListener('SIGINT', interrupt)
  }
}

/** Empty where there is none. */
function textOf(replay: JsonObject, member: string): string {
  const text = replay[member]
  return typeof text === 'string' ? text : ''
}

function sumsOf(replay: JsonObject): string {
  const count = (member: string): string => Number(replay[member] ?? 0).toLocaleString('en')
  return (
    `${count('ObjectCount')} objects, ${count('ReadRecordCount')} records read, ` +
    `${count('SelectedRecordCount')} selected, ${count('ReplayedRecordCount')} replayed, ` +
    `${count('AlreadyReplayedRecordCount')} already replayed`
  )
}
