/**
 * Checks an input against AWS's model and answers in AWS's words. What AWS's JSON services do:
 *
 * - a value of the wrong JSON type is a SerializationException and ends the matter;
 * - all else is one ValidationException that lists what is wrong, by path: members in lower camel
 *   case, list elements as `.N.member` counted from 1, e.g. `records.2.member.data`;
 * - constraints on the elements of a list of scalars are reported at the list;
 * - null is absent, and members that the model does not know are ignored.
 */
import { strict as assert } from 'node:assert'
import { isJsonObject } from '../base/json.ts'
import type { Json, JsonObject } from '../base/json.ts'
import { serializationError, validationError } from './exceptions.ts'
import { OPERATION_INPUTS, shapeOf } from './model/model.ts'
import type { ListShape, MapShape, ScalarShape, StructureShape } from './model/model.ts'

export interface ValidationOptions {
  /** Refuse what only Standpipe takes. */
  readonly strictAws: boolean
}

/** Bounds the answer to an input with a million mistakes. */
const VIOLATION_COUNT_MAX = 20

/** Sets that AWS prints in an order other than its model's. */
const ENUM_ORDERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['CompressionFormat', ['ZIP', 'HADOOP_SNAPPY', 'Snappy', 'GZIP', 'UNCOMPRESSED']],
])

/** Values that Standpipe takes beyond AWS's sets. */
const ENUM_EXTENSIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ['CompressionFormat', ['ZSTD']],
])

const BASE64_PATTERN = /^[A-Za-z0-9+/]*={0,2}$/

/**
 * Checks the input of an operation of the model.
 * @returns the input without nulls and without members that the model does not know
 * @throws ApiError ValidationException, or SerializationException for a wrong JSON type
 */
export function validateInput(
  operationName: string,
  input: JsonObject,
  options: ValidationOptions = { strictAws: false },
): JsonObject {
  const shapeName = OPERATION_INPUTS.get(operationName)
  assert(shapeName !== undefined, `the model has no operation ${operationName}`)
  const shape = shapeOf(shapeName)
  assert(shape.type === 'structure')
  const validation = new Validation(options)
  const known = validation.structure(shape, input, '')
  if (validation.violations.length > 0) throw validationError(validation.violations)
  return known
}

/** One input's walk along the model. Its depth is the model's, whatever the input holds. */
class Validation {
  readonly violations: string[] = []
  readonly #strictAws: boolean

  constructor({ strictAws }: ValidationOptions) {
    this.#strictAws = strictAws
  }

  structure(shape: StructureShape, value: Json, path: string): JsonObject {
    if (!isJsonObject(value)) throw serializationError('Expected structure or null')
    const known: Record<string, Json> = {}
    for (const [member, shapeName] of shape.members) {
      const memberPath = joinPath(path, member)
      const memberValue = Object.hasOwn(value, member) ? value[member] : undefined
      if (memberValue !== undefined && memberValue !== null) {
        known[member] = this.#value(shapeName, memberValue, memberPath)
      } else if (shape.required.has(member)) this.#violate(memberPath, 'Member must not be null')
    }
    return known
  }

  #value(shapeName: string, value: Json, path: string): Json {
    const shape = shapeOf(shapeName)
    if (shape.type === 'structure') return this.structure(shape, value, path)
    if (shape.type === 'list') return this.#list(shape, value, path)
    if (shape.type === 'map') return this.#map(shape, value, path)
    for (const failed of this.#failedConstraints(shapeName, shape, value)) {
      this.#violate(path, failed)
    }
    return value
  }

  #list(shape: ListShape, value: Json, path: string): Json {
    if (!Array.isArray(value)) throw serializationError('Expected list or null')
    const elements: readonly Json[] = value
    const wrongLength = failedLength(shape, elements.length)
    if (wrongLength !== undefined) {
      // The elements of a list of the wrong length aren't looked at: there may be very many.
      this.#violate(path, wrongLength)
      return elements
    }
    const memberShape = shapeOf(shape.member)
    if (memberShape.type === 'structure') {
      return elements.map((element, index) => {
        const elementPath = `${path}.${index + 1}.member`
        if (element !== null) return this.structure(memberShape, element, elementPath)
        this.#violate(elementPath, 'Member must not be null')
        return null
      })
    }
    assert(memberShape.type !== 'list' && memberShape.type !== 'map')
    this.#scalars(shape.member, memberShape, elements, path, 'Member')
    return elements
  }

  #map(shape: MapShape, value: Json, path: string): Json {
    if (!isJsonObject(value)) throw serializationError('Expected map or null')
    const keyShape = shapeOf(shape.key)
    const valueShape = shapeOf(shape.value)
    assert(keyShape.type === 'string' && valueShape.type === 'string')
    const entries = Object.entries(value)
    const keys = entries.map(([key]) => key)
    const values = entries.map(([, entry]) => entry ?? null)
    this.#scalars(shape.key, keyShape, keys, path, 'Map keys')
    this.#scalars(shape.value, valueShape, values, path, 'Map value')
    return value
  }

  /** AWS names all constraints of the elements when one element fails one of them. */
  #scalars(
    shapeName: string,
    shape: ScalarShape,
    values: readonly Json[],
    path: string,
    subject: 'Member' | 'Map keys' | 'Map value',
  ): void {
    const fails = (value: Json) =>
      value === null || this.#failedConstraints(shapeName, shape, value).length > 0
    if (!values.some(fails)) return
    const constraints = constraintsOf(shapeName, shape).join(', ')
    this.#violate(path, `${subject} must satisfy constraint: [${constraints}]`)
  }

  #failedConstraints(shapeName: string, shape: ScalarShape, value: Json): readonly string[] {
    requireType(shape, value)
    if (typeof value === 'number') return presentOnly(failedRange(shape, value))
    if (typeof value !== 'string') return []
    const length = lengthOf(shape, value)
    const wrongLength = failedLength(shape, length)
    // A value that is too long never meets a pattern: some take quadratic time.
    const wrongForm = length > (shape.max ?? Infinity) ? undefined : failedPattern(shape, value)
    return presentOnly(wrongLength, wrongForm, this.#failedEnum(shapeName, shape, value))
  }

  #failedEnum(shapeName: string, shape: ScalarShape, value: string): string | undefined {
    if (shape.enum === undefined || shape.enum.includes(value)) return undefined
    if (!this.#strictAws && ENUM_EXTENSIONS.get(shapeName)?.includes(value) === true) {
      return undefined
    }
    return enumConstraint(shapeName, shape.enum)
  }

  #violate(path: string, constraint: string): void {
    if (this.violations.length === VIOLATION_COUNT_MAX) return
    this.violations.push(`Value at '${path}' failed to satisfy constraint: ${constraint}`)
  }
}

function joinPath(path: string, member: string): string {
  const camelCase = member.charAt(0).toLowerCase() + member.slice(1)
  return path === '' ? camelCase : `${path}.${camelCase}`
}

function requireType({ type }: ScalarShape, value: Json): void {
  if (typeof value === 'object') {
    const found = Array.isArray(value) ? 'list' : 'structure or map'
    throw serializationError(`Start of ${found} found where not expected`)
  }
  const fits =
    type === 'string' || type === 'blob'
      ? typeof value === 'string'
      : type === 'boolean'
        ? typeof value === 'boolean'
        : type === 'integer'
          ? Number.isInteger(value)
          : typeof value === 'number'
  if (!fits) throw serializationError(`${tokenOf(value)} cannot be converted to ${classOf(type)}`)
  if (type === 'blob' && !isBase64(value as string)) {
    throw serializationError('Cannot decode a blob: not base64')
  }
}

function tokenOf(value: Json): string {
  if (typeof value === 'boolean') return value ? 'TRUE_VALUE' : 'FALSE_VALUE'
  return typeof value === 'number' ? 'NUMBER_VALUE' : 'STRING_VALUE'
}

function classOf(type: ScalarShape['type']): string {
  return type.charAt(0).toUpperCase() + type.slice(1)
}

function isBase64(value: string): boolean {
  return value.length % 4 === 0 && BASE64_PATTERN.test(value)
}

/** Of a blob, the length of the bytes that it stands for. */
function lengthOf({ type }: ScalarShape, value: string): number {
  return type === 'blob' ? Buffer.byteLength(value, 'base64') : value.length
}

function failedLength(
  { min = 0, max = Infinity }: { readonly min?: number; readonly max?: number },
  length: number,
): string | undefined {
  if (length < min) return lengthConstraint('greater', min)
  if (length > max) return lengthConstraint('less', max)
  return undefined
}

function failedRange({ min = -Infinity, max = Infinity }: ScalarShape, value: number) {
  if (value < min) return `Member must have value greater than or equal to ${min}`
  if (value > max) return `Member must have value less than or equal to ${max}`
  return undefined
}

function failedPattern({ pattern }: ScalarShape, value: string): string | undefined {
  if (pattern === undefined || compilePattern(pattern).test(value)) return undefined
  return patternConstraint(pattern)
}

function constraintsOf(shapeName: string, shape: ScalarShape): readonly string[] {
  return presentOnly(
    shape.max === undefined ? undefined : lengthConstraint('less', shape.max),
    shape.min === undefined ? undefined : lengthConstraint('greater', shape.min),
    shape.pattern === undefined ? undefined : patternConstraint(shape.pattern),
    shape.enum === undefined ? undefined : enumConstraint(shapeName, shape.enum),
  )
}

function lengthConstraint(side: 'greater' | 'less', limit: number): string {
  return `Member must have length ${side} than or equal to ${limit}`
}

function patternConstraint(pattern: string): string {
  return `Member must satisfy regular expression pattern: ${pattern}`
}

function enumConstraint(shapeName: string, values: readonly string[]): string {
  const ordered = ENUM_ORDERS.get(shapeName) ?? values
  return `Member must satisfy enum value set: [${ordered.join(', ')}]`
}

function presentOnly(...values: readonly (string | undefined)[]): readonly string[] {
  return values.filter((value) => value !== undefined)
}

const compiledPatterns = new Map<string, RegExp>()

/** The model's patterns are Java's and mean the whole value. Only `\p{…}` needs the flag `u`. */
export function compilePattern(pattern: string): RegExp {
  const known = compiledPatterns.get(pattern)
  if (known !== undefined) return known
  const expression = new RegExp(`^(?:${pattern})$`, pattern.includes('\\p{') ? 'u' : '')
  compiledPatterns.set(pattern, expression)
  return expression
}
