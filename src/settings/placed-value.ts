import { isJsonObject } from '../base/json.ts'
import { readBoundedFile } from './bounded-file.ts'
import { SettingsError } from './sources.ts'
import type { Environment } from './sources.ts'

/** More than any bundle of certificates. */
const FILE_BYTES_MAX = 1024 * 1024

/**
 * The text that a value of the settings stands for: in place, in a file (`{file: path}`) or in a
 * variable of the environment (`{env: NAME}`), so that what is secret needs not stand in a file that
 * is shared. Without the line's end that editors leave in files.
 * @param subject begins the message of an error: `Cannot use …: the password of …`
 * @throws SettingsError, which never tells a value
 */
export function readPlacedValue(value: unknown, environment: Environment, subject: string): string {
  const text = isJsonObject(value) ? readElsewhere(value, environment, subject) : value
  if (typeof text === 'number') throw new SettingsError(`${subject} must be text; put it in quotes`)
  if (typeof text !== 'string') {
    throw new SettingsError(`${subject} must be text, {file: path} or {env: NAME}`)
  }
  if (text === '') throw new SettingsError(`${subject} is empty`)
  return text
}

function readElsewhere(
  place: object,
  environment: Environment,
  subject: string,
): string | undefined {
  const [[kind, name] = ['', ''], second]: [string, unknown][] = Object.entries(place)
  if (second !== undefined || typeof name !== 'string') return undefined
  if (kind === 'env') return readVariable(name, environment, subject)
  return kind === 'file' ? readPlacedFile(name, FILE_BYTES_MAX, subject).trim() : undefined
}

/** @throws SettingsError */
export function readVariable(name: string, environment: Environment, subject: string): string {
  const text = environment[name]
  if (text !== undefined) return text
  throw new SettingsError(`${subject} is in the variable ${name}, which is not set`)
}

/** @throws SettingsError */
export function readPlacedFile(path: string, sizeBytesMax: number, subject: string): string {
  try {
    return readBoundedFile(path, sizeBytesMax)
  } catch (error) {
    throw new SettingsError(`${subject}: ${(error as Error).message}`, { cause: error })
  }
}
