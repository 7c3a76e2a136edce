/** `standpipe data export` and `import`. */
import { AssertionError } from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { formatByteSize } from '../base/byte-size.ts'
import { systemClock } from '../base/clock.ts'
import { pinoLogger } from '../base/pino-logger.ts'
import { loadSettings } from '../settings.ts'
import type { Settings } from '../settings.ts'
import { exportAll } from '../transfer/export.ts'
import type { ExportReport } from '../transfer/export.ts'
import { importAll } from '../transfer/import.ts'
import type { ImportReport } from '../transfer/import.ts'
import { TransferDamaged } from '../transfer/transfer-file.ts'
import type { TransferCounts } from '../transfer/transfer-file.ts'
import type { TransferPlace } from '../transfer/transfer-place.ts'
import { CommandError, print, printJson } from './command.ts'
import type { Invocation } from './command.ts'
import { EXIT } from './exit-code.ts'
import { Progress } from './progress.ts'

export async function exportData(invocation: Invocation): Promise<number> {
  const settings = settingsOf(invocation)
  const { backend, dataDir } = settings
  // Opening it would make it.
  if (backend === 'embedded' && !existsSync(join(dataDir, 'catalog.db'))) {
    throw new CommandError(`Cannot export ${dataDir}: it is no data directory of Standpipe`)
  }
  const path = pathOf(invocation)
  const report = await transfer(invocation, settings, (place, onProgress) =>
    exportAll(place, path, onProgress),
  )
  if (invocation.flags['json'] === true) printJson(report)
  else print(exportLines(report, path).join('\n'))
  return EXIT.ok
}

export async function importData(invocation: Invocation): Promise<number> {
  const settings = settingsOf(invocation)
  const path = pathOf(invocation)
  if (!existsSync(path)) throw new CommandError(`Cannot import ${path}: there is no such file`)
  const report = await transfer(invocation, settings, (place, onProgress) =>
    importAll(place, path, onProgress),
  )
  if (invocation.flags['json'] === true) printJson(report)
  else print(importLines(report).join('\n'))
  return EXIT.ok
}

function settingsOf({ flags, environment }: Invocation): Settings {
  return loadSettings({ flags, environment, workingDirectory: process.cwd() }).settings
}

function pathOf({ positionals }: Invocation): string {
  return positionals[1] ?? ''
}

type OnProgress = (counts: TransferCounts) => void

/** Opens the place, works on it and closes it; what goes wrong becomes one line. */
async function transfer<Report>(
  { flags, positionals }: Invocation,
  settings: Settings,
  work: (place: TransferPlace, onProgress: OnProgress) => Promise<Report>,
): Promise<Report> {
  const { openTransferPlace } = await import('../backends/open-transfer-place.ts')
  const progress = new Progress(flags['json'] !== true, systemClock)
  try {
    await using resources = new AsyncDisposableStack()
    const place = await openTransferPlace(
      {
        settings,
        force: flags['force'] === true,
        clock: systemClock,
        logger: pinoLogger({ level: 'warn', format: 'text' }),
      },
      resources,
    )
    return await work(place, (counts) => progress.show(batchesOf(counts)))
  } catch (error) {
    throw inOneLine(error, positionals)
  } finally {
    progress.end()
  }
}

/** What an operator can mend becomes one line; a fault of ours stays what it is. */
function inOneLine(error: unknown, [action = '', path = '']: readonly string[]): unknown {
  if (!(error instanceof Error) || FAULTS.some((fault) => error instanceof fault)) return error
  const { message } = error
  const options = { cause: error }
  if (error instanceof TransferDamaged) {
    return new CommandError(`Cannot import ${path}: ${message}`, EXIT.failed, options)
  }
  const line = message.startsWith('Cannot ') ? message : `Cannot ${action}: ${message}`
  return new CommandError(line, EXIT.failed, options)
}

const FAULTS = [TypeError, RangeError, ReferenceError, SyntaxError, AssertionError]

function exportLines(report: ExportReport, path: string): string[] {
  const { sizeBytes, missingCount, strayCount } = report
  return [
    `Exported ${allOf(report)} to ${path}, ${formatByteSize(sizeBytes)}.`,
    missingCount === 0
      ? ''
      : `The books have ${missingCount} records more pending than there are: they were lost before.`,
    strayCount === 0 ? '' : `${strayCount} batches of no known stream were left where they are.`,
  ].filter((line) => line !== '')
}

function importLines({ imported, knownStreamCount, knownBatchCount }: ImportReport): string[] {
  const known =
    `${counted(knownStreamCount, 'stream')} with ${counted(knownBatchCount, 'batch', 'batches')} ` +
    'were there already, and nothing was done to them.'
  return [`Imported ${allOf(imported)}.`, ...(knownStreamCount === 0 ? [] : [known])]
}

function allOf(counts: TransferCounts): string {
  const { streamCount, receiptCount, replayCount, positionCount } = counts
  return (
    `${counted(streamCount, 'stream')} with ${batchesOf(counts)}, ` +
    `${counted(receiptCount, 'receipt')}, ${counted(replayCount, 'replayed part')} and ` +
    counted(positionCount, 'source position')
  )
}

function batchesOf({ batchCount, recordCount, dataBytes }: TransferCounts): string {
  const records = counted(recordCount, 'record')
  return `${counted(batchCount, 'batch', 'batches')} (${records}, ${formatByteSize(dataBytes)})`
}

function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`
}
