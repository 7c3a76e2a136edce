/**
 * How Standpipe is told things: each setting by flag, environment or file, checked against one
 * schema (settings/schema.ts), each value knowing where it came from.
 */
import { Value } from 'typebox/value'
import { parseByteSize } from './base/byte-size.ts'
import { readAccessKeys } from './settings/access-keys.ts'
import { readConnections } from './settings/read-connections.ts'
import { readFunctions } from './settings/read-functions.ts'
import { readSecrets } from './settings/read-secrets.ts'
import { readTables } from './settings/read-tables.ts'
import { refuseContradictions } from './settings/rules.ts'
import { settingDefinitions, SettingsSchema } from './settings/schema.ts'
import type { SettingDefinition, SettingName, Settings } from './settings/schema.ts'
import {
  readEnvironment,
  readFlags,
  readSecretFile,
  readSettingsFile,
  SettingsError,
} from './settings/sources.ts'
import type { Environment, Flags, Origin, RawSetting } from './settings/sources.ts'

export type { Settings } from './settings/schema.ts'
export { flagOptions, SettingsError } from './settings/sources.ts'
export { chooseObjectStore } from './settings/object-store-choice.ts'
export type { ObjectStoreChoice } from './settings/object-store-choice.ts'

export interface SettingsSources {
  /** By name without dashes; see flagOptions(). Flags that are no settings are left alone. */
  readonly flags: Flags
  readonly environment: Environment
  readonly workingDirectory: string
}

export interface LoadedSettings {
  readonly settings: Settings
  readonly origins: ReadonlyMap<SettingName, Origin>
}

/**
 * Reads all sources; a flag beats the environment, which beats the file, which beats the default.
 * @throws SettingsError
 */
export function loadSettings(sources: SettingsSources): LoadedSettings {
  const { flags, environment, workingDirectory } = sources
  const raw = new Map([
    ...readSettingsFile(flags, environment, workingDirectory),
    ...readEnvironment(environment),
    ...readFlags(flags),
  ])
  const values: Record<string, unknown> = {}
  const origins = new Map<SettingName, Origin>()
  for (const definition of settingDefinitions) {
    const { name, schema } = definition
    const setting = raw.get(name)
    origins.set(name, setting?.origin ?? { kind: 'default', place: '' })
    if (setting !== undefined) values[name] = readValue(definition, setting, environment)
    else if (schema.default !== undefined) values[name] = schema.default
  }
  const settings = Value.Parse(SettingsSchema, values)
  refuseContradictions(settings)
  return { settings, origins }
}

function readValue(
  definition: SettingDefinition,
  { value, origin }: RawSetting,
  environment: Environment,
): unknown {
  const place = origin.kind === 'file' ? `${definition.name} in ${origin.place}` : origin.place
  const parsed = parseValue(definition, value, place, environment)
  const [error] = Value.Errors(definition.schema, parsed)
  if (error === undefined) return parsed
  const member = error.instancePath === '' ? '' : `${error.instancePath.slice(1)} `
  const expected = error.instancePath === '' ? wanted(definition) : error.message
  throw new SettingsError(`Cannot use ${place}: ${member}${expected}${given(definition, parsed)}`)
}

/** Text becomes what the schema asks for; what can't be read is left for the schema to refuse. */
function parseValue(
  { name, schema }: SettingDefinition,
  value: unknown,
  place: string,
  environment: Environment,
): unknown {
  if (name === 'accessKeys') {
    return readAccessKeys(value, ({ variable, file }) => {
      if (file !== undefined) return readSecretFile(file, `secretFile of ${place}`)
      return environment[variable ?? ''] ?? ''
    })
  }
  if (name === 'connections') return readConnections(jsonOf(value), environment, place)
  if (name === 'functions') return readFunctions(jsonOf(value), place)
  if (name === 'secrets') return readSecrets(jsonOf(value), environment, place)
  if (name === 'tables') return readTables(jsonOf(value), place)
  if (typeof value !== 'string') return value
  if (schema.type === 'integer') {
    if (schema.unit === 'bytes') return parseByteSize(value) ?? value
    return /^\d+$/.test(value) ? Number(value) : value
  }
  if (schema.type === 'boolean')
    return { true: true, false: false, '1': true, '0': false }[value] ?? value
  if (name === 'allowedHosts') return value.split(',').map((host) => host.trim())
  if (schema.type === 'array') return jsonOf(value)
  return value
}

/** What text stands for; text that is no JSON stays as it is. */
function jsonOf(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

function wanted({ schema }: SettingDefinition): string {
  if (schema.enum !== undefined) return `must be one of ${schema.enum.join(', ')}`
  if (schema.type === 'integer') {
    const unit = schema.unit === 'bytes' ? 'a size such as 10GiB' : 'a whole number'
    const most = schema.maximum === undefined ? '' : ` and at most ${schema.maximum}`
    return `must be ${unit}, at least ${schema.minimum ?? 0}${most}`
  }
  return `must be ${schema.type === 'boolean' ? 'true or false' : (schema.form ?? 'text')}`
}

function given({ schema }: SettingDefinition, value: unknown): string {
  if (schema.secret === true || typeof value === 'object') return ''
  const hint = schema.type === 'string' && typeof value === 'number' ? '; put it in quotes' : ''
  return `, not ${JSON.stringify(value)}${hint}`
}
