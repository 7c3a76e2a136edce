/**
 * The functions of old templates that draw numbers and elements, which nearly every template uses:
 * their parameters are checked once, and a draw costs little.
 */
import { isJsonObject } from '../../base/json.ts'
import type { Json } from '../../base/json.ts'
import type { TemplateFunction } from './template-functions.ts'

/** What old faker took for a number without a maximum. */
const NUMBER_MAX = 99_999
const LETTERS = ['a', 'b', 'c']

/** @param draw uniform in [0, 1) */
export function drawingFunctions(draw: () => number): Readonly<Record<string, TemplateFunction>> {
  return {
    'random.number': (parameter) => numbers(draw, parameter),
    'random.arrayElement': (list = LETTERS) => elements(draw, list),
    'helpers.randomize': (list = LETTERS) => elements(draw, list),
    'random.objectElement': (object = { foo: 'bar', too: 'car' }) => {
      if (!isJsonObject(object)) throw new TypeError('the parameter must be a JSON object')
      return elements(draw, Object.values(object) as Json[])
    },
    'random.weightedArrayElement': (parameter) => weightedElements(draw, parameter),
    'random.boolean': () => () => draw() < 0.5,
  }
}

/** Whole numbers, or multiples of `precision`, from `min` to `max`, both included. */
function numbers(draw: () => number, parameter: Json | undefined): () => number {
  const range = typeof parameter === 'number' ? { max: parameter } : (parameter ?? {})
  if (!isJsonObject(range)) {
    throw new TypeError('the parameter must be a maximum, or like {"min":1,"max":5}')
  }
  const { min = 0, max = NUMBER_MAX, precision = 1 } = range
  if (typeof min !== 'number' || typeof max !== 'number' || typeof precision !== 'number') {
    throw new TypeError('min, max and precision must be numbers')
  }
  if (max < min || precision <= 0) {
    throw new RangeError('max must not be less than min, and precision must be more than 0')
  }
  const first = Math.ceil(min / precision)
  const count = Math.floor(max / precision) - first + 1
  if (count < 1) throw new RangeError(`there is no multiple of ${precision} between min and max`)
  const digits = Math.min(20, Math.max(0, Math.ceil(-Math.log10(precision)) + 2))
  return precision === 1
    ? () => first + Math.floor(draw() * count)
    : () => Number(((first + Math.floor(draw() * count)) * precision).toFixed(digits))
}

function elements(draw: () => number, list: Json): () => Json | undefined {
  if (!isList(list) || list.length === 0) {
    throw new TypeError('the parameter must be a JSON array with elements')
  }
  return () => list[Math.floor(draw() * list.length)]
}

function weightedElements(draw: () => number, parameter: Json | undefined): () => Json | undefined {
  const { weights, data } = isJsonObject(parameter) ? parameter : {}
  if (!isList(weights) || !isList(data) || weights.length !== data.length || data.length === 0) {
    throw new TypeError('the parameter must be like {"weights":[0.3,0.7],"data":["a","b"]}')
  }
  let sum = 0
  const bounds = weights.map((weight) => {
    if (typeof weight !== 'number' || weight < 0) {
      throw new TypeError('weights must be numbers, none less than 0')
    }
    sum += weight
    return sum
  })
  if (sum === 0) throw new RangeError('weights must not all be 0')
  return () => {
    const drawn = draw() * sum
    return data[bounds.findIndex((bound) => drawn < bound)]
  }
}

/** Array.isArray loses the type of a readonly list. */
function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value)
}
