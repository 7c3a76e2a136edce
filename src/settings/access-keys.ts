import { Type } from 'typebox'

/**
 * Access keys as they are set: `id:secret,…` in text; in the file also as a list of objects, whose
 * secret may lie elsewhere, and which may carry policy statements.
 */
export const AccessKeysSetting = Type.Array(
  Type.Object(
    {
      id: Type.String({ pattern: String.raw`^[\w-]{3,128}$` }),
      secret: Type.String({ minLength: 1 }),
      statements: Type.Optional(Type.Array(Type.Object({}))),
    },
    { additionalProperties: false },
  ),
  {
    secret: true,
    form: '`id:secret,…`; in the file also objects, see Access keys',
    default: [],
    description: 'Who may send and operate. Without any, only loopback addresses are answered.',
  },
)

/**
 * Brings what the file or the environment holds into the schema's form. Shapes that it can't read
 * are left for the schema to refuse.
 * @param secretOf resolves `secretEnv` and `secretFile`
 */
export function readAccessKeys(
  value: unknown,
  secretOf: (place: { variable?: string; file?: string }) => string,
): unknown {
  if (typeof value === 'string') {
    return value
      .split(/[,\n]/)
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '')
      .map(readPair)
  }
  if (!Array.isArray(value)) return value
  return value.map((entry: unknown) => {
    if (typeof entry === 'string') return readPair(entry)
    if (typeof entry !== 'object' || entry === null) return entry
    const { secretEnv, secretFile, ...key } = entry as Record<string, unknown>
    if (typeof secretEnv === 'string') return { ...key, secret: secretOf({ variable: secretEnv }) }
    if (typeof secretFile === 'string') return { ...key, secret: secretOf({ file: secretFile }) }
    return entry
  })
}

/** The secret may contain colons, the id may not. */
function readPair(entry: string): object {
  const colon = entry.indexOf(':')
  return colon === -1
    ? { id: entry }
    : { id: entry.slice(0, colon), secret: entry.slice(colon + 1) }
}
