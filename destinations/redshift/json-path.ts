/**
 * A jsonpaths document of Redshift: `{"jsonpaths": ["$.a.b[0]", "$['c']"]}`, one path for each column,
 * in dot or bracket notation.
 */
import { isJsonObject } from '../../src/base/json.ts'
import { ConfigurationError } from '../../src/destination.ts'

/** Members by name and elements by index, from the root on. */
export type JsonPath = readonly (string | number)[]

const STEP = /\.([^.[\]'"\s]+)|\[(\d+)\]|\[(?:'([^']*)'|"([^"]*)")\]/y

/** @throws ConfigurationError */
export function parseJsonPaths(document: string): readonly JsonPath[] {
  const paths = pathsOf(document)
  if (paths !== undefined && paths.length > 0) return paths.map(parseJsonPath)
  throw new ConfigurationError('Invalid jsonpaths: {"jsonpaths": ["$.member", …]} is expected')
}

function pathsOf(document: string): readonly string[] | undefined {
  try {
    const parsed: unknown = JSON.parse(document)
    const paths = isJsonObject(parsed) ? parsed.jsonpaths : undefined
    if (!Array.isArray(paths)) return undefined
    return paths.every((path) => typeof path === 'string') ? paths : undefined
  } catch {
    return undefined
  }
}

function parseJsonPath(text: string): JsonPath {
  const path: (string | number)[] = []
  let position = 1
  while (text.startsWith('$') && position < text.length) {
    STEP.lastIndex = position
    const match = STEP.exec(text)
    if (match === null) break
    path.push(match[2] === undefined ? (match[1] ?? match[3] ?? match[4] ?? '') : Number(match[2]))
    position = STEP.lastIndex
  }
  if (text.startsWith('$') && position === text.length) return path
  throw new ConfigurationError(`Invalid JSONPath '${text}'`)
}

/** What is there, or undefined. */
export function valueAt(root: unknown, path: JsonPath): unknown {
  let value = root
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Readonly<Record<string | number, unknown>>)[step]
  }
  return value
}
