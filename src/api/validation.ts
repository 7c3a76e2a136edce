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
import { constraintsOf, failedConstraints, failedLength } from './constraints.ts'
import type { ConstraintOptions } from './constraints.ts'
import { serializationError, validationError } from './exceptions.ts'
import { OPERATION_INPUTS, shapeOf } from './model/model.ts'
import type { ListShape, MapShape, ScalarShape, StructureShape } from './model/model.ts'
import { requireType } from './wire-type.ts'

/** Bounds the answer to an input with a million mistakes. */
const VIOLATION_COUNT_MAX = 20

/**
 * Checks the input of an operation of the model.
 * @returns the input without nulls and without members that the model does not know
 * @throws ApiError ValidationException, or SerializationException for a wrong JSON type
 */
export function validateInput(
  operationName: string,
  input: JsonObject,
  options: ConstraintOptions = { strictAws: false },
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
  readonly #options: ConstraintOptions

  constructor(options: ConstraintOptions) {
    this.#options = options
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
    return failedConstraints(shapeName, shape, requireType(shape, value), this.#options)
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
