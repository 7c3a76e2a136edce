import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { formatByteSize } from '../base/byte-size.ts'
import { systemClock } from '../base/clock.ts'
import { pinoLogger } from '../base/pino-logger.ts'
import { conversionOf } from '../tail/conversion.ts'
import type { Conversion } from '../tail/conversion.ts'
import { DirectoryWatch } from '../tail/directory-watch.ts'
import { FirehoseSender } from '../tail/firehose-sender.ts'
import { LOG_FORMATS, logPattern } from '../tail/log-to-json.ts'
import type { LogPattern } from '../tail/log-to-json.ts'
import { PositionFile, PositionsUnusable } from '../tail/position-file.ts'
import { RequestRefused } from '../tail/record-sender.ts'
import { tail as follow } from '../tail/tail.ts'
import type { TailOptions, TailSummary, TailTools } from '../tail/tail.ts'
import { CLIENT_HELP, CLIENT_OPTIONS, withClient } from './client.ts'
import {
  CommandError,
  integerFlag,
  printJson,
  takePositionals,
  textFlag,
  usageError,
} from './command.ts'
import type { Command, Invocation } from './command.ts'
import { EXIT } from './exit-code.ts'
import { Progress } from './progress.ts'

export const tail: Command = {
  usage: 'tail <file>… --stream <stream>',
  summary: 'follow log files and send their lines as records',
  help: `Sends each line of the files as one record, with its newline, and what is written to them from then
on, as the Kinesis Agent does. Names may be patterns (quote them: 'log/*.log'); files that match later
are followed too. A file that is renamed is read to its end before the one that takes its name; one
that is truncated is read anew. Compressed files are passed over. What the service does not take is
sent again for as long as it takes. Positions are kept across restarts: each record is sent at least
once, and after a crash at most one request again. Ends on SIGTERM or ^C, after the request under way.

  --from WHERE     start or end: where files begin that were never looked for; what appears later is
                   read from its start. By default end, with --once start
  --once           send what is there, a last line without newline too, and end: with 0 when it is all
  --state FILE     positions; by default tail-<stream>.json under $XDG_STATE_HOME/standpipe, else under
                   ~/.local/state/standpipe. One tail at a time uses it
  --no-newline     leave the newline out of the record
  --flush-partial SECONDS   send a last line that has waited so long for its newline; else it waits
  --skip-header-lines N     leave out the first lines of each file
  --progress       tell how far it is
  --json           print the sums at the end

Records longer than 1,000 KiB are truncated, as the agent does. Converted, in this order:

  --multi-line-start REGEX  a record begins with a line whose beginning matches, and takes the lines
                            that follow; it ends when none has come for a second
  --single-line             newlines go, and the white space around each line
  --csv-to-json NAME,…      columns to a JSON object, by --delimiter (default: a comma)
  --log-to-json FORMAT      ${LOG_FORMATS.join(', ')}
  --match-pattern REGEX     another pattern for the whole record, with
  --field-names NAME,…      a name for each of its groups
  --keep-unmatched          send what does not match as it is; else it is left out, and counted
${CLIENT_HELP}`,
  options: {
    ...CLIENT_OPTIONS,
    stream: { type: 'string' },
    from: { type: 'string' },
    once: { type: 'boolean' },
    state: { type: 'string' },
    newline: { type: 'boolean' },
    'flush-partial': { type: 'string' },
    'skip-header-lines': { type: 'string' },
    progress: { type: 'boolean' },
    json: { type: 'boolean' },
    'multi-line-start': { type: 'string' },
    'single-line': { type: 'boolean' },
    'csv-to-json': { type: 'string' },
    delimiter: { type: 'string' },
    'log-to-json': { type: 'string' },
    'match-pattern': { type: 'string' },
    'field-names': { type: 'string' },
    'keep-unmatched': { type: 'boolean' },
  },
  async run(invocation) {
    const options = readOptions(invocation)
    return withClient(invocation, async ({ firehose }) => {
      const ended = new AbortController()
      const sender = new FirehoseSender(firehose, options.streamName, systemClock)
      const summary = await runUntilSignal(invocation, options, sender, ended)
      if (invocation.flags['json'] === true) printJson(summary)
      else process.stderr.write(`Sent ${inWords(summary)}\n`)
      // Who waits for all of it must know that it is not all.
      return options.once && ended.signal.aborted ? EXIT.failed : EXIT.ok
    })
  },
}

function readOptions(invocation: Invocation): TailOptions {
  const { flags, positionals } = invocation
  takePositionals(invocation, ['a file'], Infinity)
  const streamName = textFlag(invocation, 'stream')
  if (streamName === undefined) throw usageError('Cannot run: --stream is missing')
  const once = flags['once'] === true
  const from = textFlag(invocation, 'from') ?? (once ? 'start' : 'end')
  if (from !== 'start' && from !== 'end') {
    throw usageError('Cannot use --from: must be start or end')
  }
  const flushPartialSeconds = integerFlag(invocation, 'flush-partial')
  return {
    streamName,
    patterns: positionals.map((pattern) => resolve(pattern)),
    from,
    once,
    skipHeaderLines: integerFlag(invocation, 'skip-header-lines') ?? 0,
    startsRecord: readStart(invocation),
    flushPartialMs: flushPartialSeconds === undefined ? undefined : flushPartialSeconds * 1000,
    convert: readConversion(invocation),
    keepUnmatched: flags['keep-unmatched'] === true,
    keepNewline: flags['newline'] !== false,
  }
}

function readStart(invocation: Invocation): TailOptions['startsRecord'] {
  const source = textFlag(invocation, 'multi-line-start')
  if (source === undefined) return undefined
  const pattern = orUsageError('multi-line-start', () => new RegExp(`^(?:${source})`))
  return (line) => pattern.test(line.toString('utf8'))
}

function readConversion(invocation: Invocation): Conversion {
  const names = textFlag(invocation, 'csv-to-json')?.split(',')
  // As in the agent's settings, where a tab is written so.
  const delimiter = (textFlag(invocation, 'delimiter') ?? ',').replaceAll(String.raw`\t`, '\t')
  const log = readLogPattern(invocation)
  if (names !== undefined && log !== undefined) {
    throw usageError('Cannot use --csv-to-json together with --log-to-json')
  }
  return conversionOf({
    singleLine: invocation.flags['single-line'] === true,
    csv: names === undefined ? undefined : { fieldNames: names, delimiter },
    log,
  })
}

function readLogPattern(invocation: Invocation): LogPattern | undefined {
  const format = textFlag(invocation, 'log-to-json')
  const matchPattern = textFlag(invocation, 'match-pattern')
  const fieldNames = textFlag(invocation, 'field-names')?.split(',')
  if (format !== undefined) {
    return orUsageError('log-to-json', () => logPattern(format, matchPattern, fieldNames))
  }
  if (matchPattern === undefined && fieldNames === undefined) return undefined
  throw usageError('Cannot use --match-pattern or --field-names: --log-to-json is missing')
}

function orUsageError<Value>(flag: string, read: () => Value): Value {
  try {
    return read()
  } catch (error) {
    throw usageError(`Cannot use --${flag}: ${(error as Error).message}`)
  }
}

async function runUntilSignal(
  invocation: Invocation,
  options: TailOptions,
  sender: FirehoseSender,
  ended: AbortController,
): Promise<TailSummary> {
  const end = (): void => ended.abort()
  process.once('SIGTERM', end)
  process.once('SIGINT', end)
  const progress = new Progress(invocation.flags['progress'] === true, systemClock)
  try {
    const path = textFlag(invocation, 'state') ?? defaultState(invocation, options.streamName)
    const positions = await PositionFile.open(resolve(path))
    const tools: TailTools = {
      sender,
      positions,
      changes: new DirectoryWatch(systemClock),
      clock: systemClock,
      logger: pinoLogger({ level: 'info', format: 'text' }),
      onProgress: (summary) => progress.show(inWords(summary)),
    }
    try {
      return await follow(options, tools, ended.signal)
    } finally {
      positions.close()
    }
  } catch (error) {
    const isMistake = error instanceof RequestRefused || error instanceof PositionsUnusable
    if (isMistake) throw new CommandError(error.message, EXIT.failed, { cause: error })
    throw error
  } finally {
    progress.end()
    process.removeListener('SIGTERM', end)
    process.removeListener('SIGINT', end)
  }
}

function defaultState({ environment }: Invocation, streamName: string): string {
  const home = environment['HOME'] || homedir()
  const root = environment['XDG_STATE_HOME'] || join(home, '.local', 'state')
  return join(root, 'standpipe', `tail-${encodeURIComponent(streamName)}.json`)
}

function inWords(summary: TailSummary): string {
  const { recordCount, dataBytes, truncatedCount, unmatchedCount, gapCount, gapBytes } = summary
  return [
    `${recordCount.toLocaleString('en')} records, ${formatByteSize(dataBytes)}`,
    ...(truncatedCount > 0 ? [`${truncatedCount} truncated`] : []),
    ...(unmatchedCount > 0 ? [`${unmatchedCount} unmatched`] : []),
    ...(gapCount > 0 ? [`${gapCount} gaps of at least ${formatByteSize(gapBytes)}`] : []),
  ].join(', ')
}
