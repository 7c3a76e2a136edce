/** The JSON types of the model's scalars, and AWS's words for a value of another type. */
import type { Json } from '../base/json.ts'
import { serializationError } from './exceptions.ts'
import type { ScalarShape } from './model/model.ts'

/** An integer is a number without a fraction, a blob is base64; both are checked besides. */
const JSON_TYPES: Readonly<Record<ScalarShape['type'], 'string' | 'number' | 'boolean'>> = {
  string: 'string',
  blob: 'string',
  integer: 'number',
  double: 'number',
  timestamp: 'number',
  boolean: 'boolean',
}

const BASE64_PATTERN = /^[A-Za-z0-9+/]*={0,2}$/

/**
 * The value, when it is one of the shape's type.
 * @throws ApiError SerializationException
 */
export function requireType({ type }: ScalarShape, value: Json): string | number | boolean {
  if (typeof value === 'object') {
    const found = Array.isArray(value) ? 'list' : 'structure or map'
    throw serializationError(`Start of ${found} found where not expected`)
  }
  const isFraction = type === 'integer' && !Number.isInteger(value)
  if (typeof value !== JSON_TYPES[type] || isFraction) {
    const className = type.charAt(0).toUpperCase() + type.slice(1)
    throw serializationError(`${tokenOf(value)} cannot be converted to ${className}`)
  }
  if (type === 'blob' && !isBase64(String(value))) {
    throw serializationError('Cannot decode a blob: not base64')
  }
  return value
}

function tokenOf(value: string | number | boolean): string {
  if (typeof value === 'boolean') return value ? 'TRUE_VALUE' : 'FALSE_VALUE'
  return typeof value === 'number' ? 'NUMBER_VALUE' : 'STRING_VALUE'
}

function isBase64(value: string): boolean {
  return value.length % 4 === 0 && BASE64_PATTERN.test(value)
}
