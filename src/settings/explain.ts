import { maskedBackend } from '../backend.ts'
import { formatByteSize } from '../base/byte-size.ts'
import { settingDefinitions } from './schema.ts'
import type { SettingDefinition, SettingName, SettingSchema } from './schema.ts'
import type { Origin } from './sources.ts'

export interface ExplainedSetting {
  readonly name: SettingName
  readonly value: unknown
  /** `default`, or the flag, variable or file that set it. */
  readonly source: string
}

/** Each setting with its value, secrets masked, and where it came from. */
export function explainSettings({
  settings,
  origins,
}: {
  readonly settings: object
  readonly origins: ReadonlyMap<SettingName, Origin>
}): readonly ExplainedSetting[] {
  const values = new Map(Object.entries(settings))
  return settingDefinitions.map(({ name, schema }) => {
    const origin = origins.get(name)
    const source = origin === undefined || origin.kind === 'default' ? 'default' : origin.place
    return { name, value: masked(name, schema, values.get(name)), source }
  })
}

function masked(name: SettingName, schema: SettingSchema, value: unknown): unknown {
  if (name === 'backend') return maskedBackend(String(value))
  if (schema.secret !== true || value === undefined) return value
  const shown = SHOWN_MEMBERS[name]
  if (shown === undefined) return '***'
  if (Array.isArray(value)) return value.map((entry: object) => maskMembers(entry, shown))
  const entries = Object.entries(value as Record<string, object>)
  return Object.fromEntries(entries.map(([key, entry]) => [key, maskMembers(entry, shown)]))
}

/** Of settings that are lists or tables with secrets in them: what is a name and not a secret. */
const SHOWN_MEMBERS: Partial<Record<SettingName, readonly string[]>> = {
  accessKeys: ['id', 'statements'],
  connections: ['url', 'sigv4', 'endpoint', 'brokers', 'tls', 'sasl'],
  secrets: ['file'],
}

function maskMembers(entry: object, shown: readonly string[]): object {
  const members = Object.entries(entry) as [string, unknown][]
  return Object.fromEntries(
    members.map(([member, value]) => [member, shown.includes(member) ? value : '***']),
  )
}

/** The table of docs/operations.md. A test holds the two together. */
export function settingsTable(): string {
  const rows = settingDefinitions.map((definition) => {
    const { name, variable, flag, schema } = definition
    return `| \`${name}\`<br>\`${variable}\`<br>\`--${flag}\` | ${formOf(schema)} | ${defaultOf(definition)} | ${schema.description} |`
  })
  return ['| setting | form | default | what it does |', '|---|---|---|---|', ...rows].join('\n')
}

function formOf(schema: SettingSchema): string {
  if (schema.form !== undefined) return schema.form
  if (schema.enum !== undefined) return schema.enum.map((word) => `\`${word}\``).join(', ')
  if (schema.type === 'boolean') return '`true`, `false`'
  const show = schema.unit === 'bytes' ? formatByteSize : String
  const range = [schema.minimum ?? 0, ...(schema.maximum === undefined ? [] : [schema.maximum])]
  const [least, most] = range.map(show)
  return most === undefined ? `from ${least ?? ''}` : `${least ?? ''} to ${most}`
}

function defaultOf({ schema }: SettingDefinition): string {
  if (schema.defaultWords !== undefined) return schema.defaultWords
  const value = schema.default
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return ''
  return schema.unit === 'bytes'
    ? formatByteSize(Number(value))
    : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}
