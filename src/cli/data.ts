import { existsSync } from 'node:fs'
import { systemClock } from '../base/clock.ts'
import { formatByteSize } from '../base/byte-size.ts'
import type { Logger } from '../base/logger.ts'
import { pinoLogger } from '../base/pino-logger.ts'
import { checkData, showBatch } from '../embedded/inspect.ts'
import type { DataReport, Finding } from '../embedded/inspect.ts'
import { nodeFileSystem } from '../embedded/node-file-system.ts'
import { repairData } from '../embedded/repair.ts'
import { flagOptions, loadSettings } from '../settings.ts'
import { CommandError, print, printJson, takePositionals, usageError } from './command.ts'
import type { Command, Invocation } from './command.ts'
import { exportData, importData } from './data-transfer.ts'
import { EXIT } from './exit-code.ts'

const ACTIONS: Readonly<Record<string, (invocation: Invocation) => Promise<number>>> = {
  check,
  show,
  repair,
  export: exportData,
  import: importData,
}
/** What follows the name of an action, where something does. */
const PLACES: Readonly<Record<string, string>> = {
  show: 'the batch file',
  export: 'the file to write',
  import: 'the file to read',
}
/** What a crash leaves behind as a matter of course, and the next start puts in order. */
const HARMLESS: ReadonlySet<Finding['kind']> = new Set(['torn-tail', 'left-over'])

export const data: Command = {
  usage: 'data check|show|repair|export|import [<file>]',
  summary: 'look into a data directory, mend it, move everything elsewhere',
  help: `  check         verifies every batch, manifest and staged file and changes nothing, also while the
                service runs; ends with 1 when something is damaged
  show <file>   what is in a batch file (.batch, .open), staged file (.staged) or file of positions
                (positions), one JSON line for each part
  repair        moves what is damaged to quarantine, so that the rest is delivered; the service must
                not be running
  export <file> writes streams, books, receipts and every record that is not delivered to a new file,
                for import elsewhere; what is there stays there. No service must be running. Refuses
                while a batch has damaged records: only this backend can account for those
  import <file> enters what was exported, on this backend or another, where it is to go on: a batch that
                is half delivered is finished as it was begun. It may be repeated. No service must be
                running here, nor any more where the file comes from

The file of an export holds records in plain, also those of encrypted streams, and is readable only
for you. Settings are not in it: the service that goes on needs the same sseKey, connections and functions.

  --data-dir DIR   by default what the settings say
  --backend URL    the same, for export and import
  --force          export and import though other connections of Standpipe are open on the Redis, such as
                   those of a service with another prefix
  --json           the report of check, repair, export and import as JSON`,
  options: { ...flagOptions(), json: { type: 'boolean' }, force: { type: 'boolean' } },
  async run(invocation) {
    const [name = ''] = invocation.positionals
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
    if (action === undefined) {
      throw usageError(`Cannot run: data needs one of ${Object.keys(ACTIONS).join(', ')}`)
    }
    const place = PLACES[name]
    takePositionals(invocation, place === undefined ? [name] : [name, place])
    return action(invocation)
  },
}

function dataDirectoryOf({ flags, environment }: Invocation): string {
  const { dataDir } = loadSettings({
    flags,
    environment,
    workingDirectory: process.cwd(),
  }).settings
  if (existsSync(dataDir)) return dataDir
  throw new CommandError(`Cannot look into ${dataDir}: there is no such directory`)
}

async function check(invocation: Invocation): Promise<number> {
  const dataDirectory = dataDirectoryOf(invocation)
  const report = await checkData(dataDirectory, nodeFileSystem, openLogger()).catch(
    (error: unknown) => {
      if (!(error instanceof Error)) throw error
      throw new CommandError(`Cannot check ${dataDirectory}: ${error.message}`, EXIT.failed, {
        cause: error,
      })
    },
  )
  if (invocation.flags['json'] === true) printJson(report)
  else print(reportLines(report).join('\n'))
  return report.findings.every(({ kind }) => HARMLESS.has(kind)) ? EXIT.ok : EXIT.failed
}

function openLogger(): Logger {
  return pinoLogger({ level: 'info', format: 'text' })
}

function reportLines(report: DataReport): string[] {
  const { openBatchCount, sealedBatchCount, recordCount, dataBytes, quarantinedCount } = report
  return [
    `${sealedBatchCount} sealed and ${openBatchCount} open batches with ${recordCount} records, ` +
      `${formatByteSize(dataBytes)}; ${quarantinedCount} files in quarantine`,
    report.stagedCount === 0
      ? ''
      : `${report.stagedCount} of them processed, staged in ${formatByteSize(report.stagedBytes)}`,
    ...report.findings.map(findingLine),
    report.findings.length === 0 ? 'Nothing is wrong.' : '',
  ].filter((line) => line !== '')
}

function findingLine({ kind, path, ...details }: Finding): string {
  const words = Object.entries(details).map(([name, value]) => `${name}=${value}`)
  return [kind, path, ...words].join('  ')
}

async function show({ positionals }: Invocation): Promise<number> {
  const [, path = ''] = positionals
  try {
    for await (const part of showBatch(path, nodeFileSystem))
      print(JSON.stringify(part, withoutKey))
  } catch (error) {
    if (!(error instanceof Error)) throw error
    throw new CommandError(error.message, EXIT.failed, { cause: error })
  }
  return EXIT.ok
}

/** Wrapped or not, a key is nothing for a terminal. */
function withoutKey(name: string, value: unknown): unknown {
  return name === 'wrappedDataKey' ? '***' : value
}

async function repair(invocation: Invocation): Promise<number> {
  const dataDirectory = dataDirectoryOf(invocation)
  const logger = openLogger()
  const options = { dataDirectory, fileSystem: nodeFileSystem, clock: systemClock, logger }
  const report = await repairData(options).catch((error: unknown) => {
    if (!(error instanceof Error)) throw error
    throw new CommandError(error.message, EXIT.cannotStart, { cause: error })
  })
  if (invocation.flags['json'] === true) printJson(report)
  else {
    print(
      `${report.batchCount} batches are whole; ${report.quarantinedChunkCount} damaged chunks and ` +
        `${report.quarantinedManifestCount} manifests and ${report.quarantinedStagingCount} staged ` +
        `files, and positions of sources in ${report.quarantinedPositionsCount} places, went to ` +
        `quarantine; ` +
        `${report.failedCount} files could not be repaired`,
    )
  }
  return report.failedCount === 0 ? EXIT.ok : EXIT.failed
}
