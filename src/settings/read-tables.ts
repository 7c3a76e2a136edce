/** The `tables` setting as it is written becomes what record format conversion uses: files are read. */
import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import { didYouMean } from './near-match.ts'
import { readPlacedFile } from './placed-value.ts'
import { SettingsError } from './sources.ts'
import type { TableSetting } from './table-settings.ts'

const MEMBERS = ['database', 'table', 'createTable', 'definition', 'file']
const DESCRIPTIONS = ['createTable', 'definition', 'file']
/** Glue takes no more for a table. */
const FILE_BYTES_MAX = 4 * 1024 * 1024

/**
 * What a file holds is a definition when it is JSON, else a CREATE TABLE text.
 * @param place what to blame, e.g. `tables in standpipe.yaml`
 * @throws SettingsError
 */
export function readTables(value: unknown, place: string): readonly TableSetting[] {
  if (!Array.isArray(value)) throw new SettingsError(`Cannot use ${place}: must be a list`)
  const seen = new Set<string>()
  return value.map((entry: unknown, index) => {
    const setting = readTable(entry, `Cannot use ${place}: entry ${index + 1}`)
    const name = `${setting.database}.${setting.table}`.toLowerCase()
    if (seen.has(name)) throw new SettingsError(`Cannot use ${place}: ${name} is there twice`)
    seen.add(name)
    return setting
  })
}

function readTable(entry: unknown, subject: string): TableSetting {
  if (!isJsonObject(entry)) throw new SettingsError(`${subject} must be an object`)
  const unknown = Object.keys(entry).find((member) => !MEMBERS.includes(member))
  if (unknown !== undefined) {
    throw new SettingsError(`${subject}: no such member ${unknown}${didYouMean(unknown, MEMBERS)}`)
  }
  const { database, table, createTable, definition, file } = entry
  if (!isName(database) || !isName(table)) {
    throw new SettingsError(`${subject} must have a database and a table`)
  }
  if (DESCRIPTIONS.filter((member) => entry[member] !== undefined).length === 1) {
    const name = { database, table }
    if (isName(createTable)) return { ...name, createTable }
    if (isJsonObject(definition)) return { ...name, definition }
    if (isName(file)) return { ...name, ...readDescription(file, `${subject}: its file`) }
  }
  throw new SettingsError(
    `${subject} must have one of createTable (text), definition (an object) and file (a path)`,
  )
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function readDescription(
  path: string,
  subject: string,
): Pick<TableSetting, 'createTable' | 'definition'> {
  const text = readPlacedFile(path, FILE_BYTES_MAX, subject)
  if (!text.trimStart().startsWith('{')) return { createTable: text }
  try {
    return { definition: JSON.parse(text) as JsonObject }
  } catch (error) {
    throw new SettingsError(`${subject} ${path} is no JSON: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
