/**
 * Where settings are written down: flags, the environment and a file, in this order of precedence.
 * Each source gives raw values by name, with the words to blame in a message. What no setting
 * answers to is refused: a setting that is misspelt and ignored is worse than none.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parse as parseYaml } from 'yaml'
import { isJsonObject } from '../base/json.ts'
import { didYouMean } from './near-match.ts'
import { settingDefinitions } from './schema.ts'
import type { SettingDefinition, SettingName } from './schema.ts'

/** A mistake in the settings, in words for whoever made it. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

export interface Origin {
  readonly kind: 'flag' | 'environment' | 'file' | 'default'
  /** `--listen`, `STANDPIPE_LISTEN` or the file's path; empty for a default. */
  readonly place: string
}

/** A value as it was written: text, or from the file any YAML value. */
export interface RawSetting {
  readonly value: unknown
  readonly origin: Origin
}

export type RawSettings = ReadonlyMap<SettingName, RawSetting>

/** Flags by name without dashes, as node:util's parseArgs gives them. */
export type Flags = Readonly<Record<string, unknown>>
export type Environment = Readonly<Record<string, string | undefined>>

export const FILE_NAME_DEFAULT = 'standpipe.yaml'
const CONFIG_VARIABLE = 'STANDPIPE_CONFIG'
const PREFIX = 'STANDPIPE_'
/** Kubernetes and Docker set these for a service named `standpipe`; they are not meant for us. */
const LINK_VARIABLE = /^STANDPIPE_(SERVICE_(HOST|PORT)|PORT$|PORT_\d|ENV_|NAME$)/

/** What parseArgs has to know of the settings' flags. */
export function flagOptions(): Record<string, { type: 'boolean' | 'string' }> {
  const options: Record<string, { type: 'boolean' | 'string' }> = { config: { type: 'string' } }
  for (const { flag, schema } of settingDefinitions) {
    options[flag] = { type: schema.type === 'boolean' ? 'boolean' : 'string' }
    if (schema.secret === true) options[`${flag}-file`] = { type: 'string' }
  }
  return options
}

export function readFlags(flags: Flags): RawSettings {
  return readTexts(
    ({ flag }) => flag,
    '-file',
    (name) => {
      const value = flags[name]
      return typeof value === 'string' || typeof value === 'boolean' ? String(value) : undefined
    },
    (name) => ({ kind: 'flag', place: `--${name}` }),
  )
}

/** An empty variable counts as unset: compose files pass on what isn't there as empty. */
export function readEnvironment(environment: Environment): RawSettings {
  refuseUnknownVariables(environment)
  return readTexts(
    ({ variable }) => variable,
    '_FILE',
    (name) => environment[name] || undefined,
    (name) => ({ kind: 'environment', place: name }),
  )
}

function refuseUnknownVariables(environment: Environment): void {
  const known = new Set([CONFIG_VARIABLE])
  for (const { variable, schema } of settingDefinitions) {
    known.add(variable)
    if (schema.secret === true) known.add(`${variable}_FILE`)
  }
  for (const name of Object.keys(environment)) {
    if (!name.startsWith(PREFIX) || known.has(name) || LINK_VARIABLE.test(name)) continue
    throw new SettingsError(`Cannot use ${name}: no such setting${didYouMean(name, known)}`)
  }
}

/** Flags and environment alike: a text for each setting, or a file that holds it for a secret. */
function readTexts(
  nameOf: (definition: SettingDefinition) => string,
  fileSuffix: string,
  textOf: (name: string) => string | undefined,
  originOf: (name: string) => Origin,
): RawSettings {
  const settings = new Map<SettingName, RawSetting>()
  for (const definition of settingDefinitions) {
    const name = nameOf(definition)
    const text = textOf(name)
    if (text !== undefined) settings.set(definition.name, { value: text, origin: originOf(name) })
    if (definition.schema.secret !== true) continue
    const fileName = name + fileSuffix
    const path = textOf(fileName)
    if (path === undefined) continue
    const origin = originOf(fileName)
    if (text !== undefined)
      throw new SettingsError(`Cannot use ${origin.place}: ${name} is set too`)
    settings.set(definition.name, { value: readSecretFile(path, origin.place), origin })
  }
  return settings
}

/** The file named by flag or environment, else standpipe.yaml in the working directory, if there. */
export function readSettingsFile(
  flags: Flags,
  environment: Environment,
  workingDirectory: string,
): RawSettings {
  const named = typeof flags['config'] === 'string' ? flags['config'] : environment[CONFIG_VARIABLE]
  const path = resolve(workingDirectory, named || FILE_NAME_DEFAULT)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (!named && (error as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    throw new SettingsError(`Cannot read ${path}: ${reason(error)}`, { cause: error })
  }
  return parseSettings(text, path)
}

/** JSON is read as the YAML that it is. */
export function parseSettings(text: string, path: string): RawSettings {
  const content = parseFile(text, path)
  const origin: Origin = { kind: 'file', place: path }
  const definitions = new Map(settingDefinitions.map((definition) => [definition.name, definition]))
  const known = settingDefinitions.flatMap(({ name, schema }) =>
    schema.secret === true ? [name, `${name}File`] : [name],
  )
  const settings = new Map<SettingName, RawSetting>()
  for (const [key, value] of Object.entries(content)) {
    if (!known.includes(key)) {
      throw new SettingsError(
        `Cannot use ${key} in ${path}: no such setting${didYouMean(key, known)}`,
      )
    }
    if (value === null) continue
    const definition = definitions.get(key as SettingName)
    if (definition !== undefined) settings.set(definition.name, { value, origin })
    else {
      const name = key.slice(0, -'File'.length) as SettingName
      if (name in content) throw new SettingsError(`Cannot use ${key}: ${name} is set too`)
      settings.set(name, { value: readSecretFile(String(value), key), origin })
    }
  }
  return settings
}

function parseFile(text: string, path: string): object {
  let content: unknown
  try {
    content = parseYaml(text)
  } catch (error) {
    const firstLine = reason(error).split('\n')[0] ?? ''
    throw new SettingsError(`Cannot read ${path}: ${firstLine}`, { cause: error })
  }
  if (content === null || content === undefined) return {}
  if (!isJsonObject(content)) {
    throw new SettingsError(`Cannot read ${path}: it must hold settings by name`)
  }
  return content
}

/** The text of a file that holds a secret, without the line's end that editors leave. */
export function readSecretFile(path: string, place: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new SettingsError(`Cannot use ${place}: ${reason(error)}`, { cause: error })
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
