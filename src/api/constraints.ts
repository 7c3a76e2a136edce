/** What the model asks of a single value, and AWS's words for each constraint that is not met. */
import type { ScalarShape } from './model/model.ts'

/** Sets that AWS prints in an order other than its model's. */
const ENUM_ORDERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['CompressionFormat', ['ZIP', 'HADOOP_SNAPPY', 'Snappy', 'GZIP', 'UNCOMPRESSED']],
])

/** Values that Standpipe takes beyond AWS's sets. */
const ENUM_EXTENSIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ['CompressionFormat', ['ZSTD']],
  ['DeliveryStreamType', ['RedisStreamAsSource']],
  ['ProcessorParameterName', ['SqlQuery']],
  ['ProcessorType', ['SQL']],
])

/**
 * Addresses are AWS's there; here they may name any host and port, and speak http. A processor's query
 * may have more than one line.
 */
const RELAXED_PATTERNS: ReadonlyMap<string, string> = new Map([
  ['AmazonOpenSearchServerlessCollectionEndpoint', 'https?://.*'],
  ['AmazonopensearchserviceClusterEndpoint', 'https?://.*'],
  [
    'ClusterJDBCURL',
    'jdbc:(redshift|postgresql)://([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\]):\\d{1,5}/[A-Za-z0-9_$-]+(\\?sslmode=(disable|require|verify-full))?',
  ],
  ['ElasticsearchClusterEndpoint', 'https?://.*'],
  ['HttpEndpointUrl', 'https?://.*'],
  ['ProcessorParameterValue', String.raw`(?!\s*$)[\s\S]+`],
])

export interface ConstraintOptions {
  /** Refuse what only Standpipe takes. */
  readonly strictAws: boolean
}

/**
 * The constraints that a value fails.
 * @param value of the shape's type
 */
export function failedConstraints(
  shapeName: string,
  shape: ScalarShape,
  value: string | number | boolean,
  options: ConstraintOptions,
): readonly string[] {
  if (typeof value === 'number') return presentOnly(failedRange(shape, value))
  if (typeof value === 'boolean') return []
  const length = lengthOf(shape, value)
  // A value that is too long never meets a pattern: some take quadratic time.
  const tooLong = length > (shape.max ?? Infinity)
  return presentOnly(
    failedLength(shape, length),
    tooLong ? undefined : failedPattern(shapeName, shape, value, options),
    failedEnum(shapeName, shape, value, options),
  )
}

/** All constraints of a shape. */
export function constraintsOf(shapeName: string, shape: ScalarShape): readonly string[] {
  return presentOnly(
    shape.max === undefined ? undefined : lengthConstraint('less', shape.max),
    shape.min === undefined ? undefined : lengthConstraint('greater', shape.min),
    shape.pattern === undefined ? undefined : patternConstraint(shape.pattern),
    shape.enum === undefined ? undefined : enumConstraint(shapeName, shape.enum),
  )
}

/** The constraint on a length that fails, of a string, a blob or a list. */
export function failedLength(
  { min = 0, max = Infinity }: { readonly min?: number; readonly max?: number },
  length: number,
): string | undefined {
  if (length < min) return lengthConstraint('greater', min)
  if (length > max) return lengthConstraint('less', max)
  return undefined
}

/** Of a blob, the length of the bytes that it stands for. */
function lengthOf({ type }: ScalarShape, value: string): number {
  return type === 'blob' ? Buffer.byteLength(value, 'base64') : value.length
}

function failedRange({ min = -Infinity, max = Infinity }: ScalarShape, value: number) {
  if (value < min) return `Member must have value greater than or equal to ${min}`
  if (value > max) return `Member must have value less than or equal to ${max}`
  return undefined
}

function failedPattern(
  shapeName: string,
  shape: ScalarShape,
  value: string,
  { strictAws }: ConstraintOptions,
): string | undefined {
  const relaxed = strictAws ? undefined : RELAXED_PATTERNS.get(shapeName)
  const pattern = relaxed ?? shape.pattern
  if (pattern === undefined || compilePattern(pattern).test(value)) return undefined
  return patternConstraint(pattern)
}

function failedEnum(
  shapeName: string,
  shape: ScalarShape,
  value: string,
  { strictAws }: ConstraintOptions,
): string | undefined {
  if (shape.enum === undefined || shape.enum.includes(value)) return undefined
  if (!strictAws && ENUM_EXTENSIONS.get(shapeName)?.includes(value) === true) return undefined
  return enumConstraint(shapeName, shape.enum)
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
