import { ApiError } from './exceptions.ts'
import type { Route } from './operation.ts'

export interface MatchedRoute {
  readonly route: Route
  /** Percent-decoded, by name. */
  readonly parameters: ReadonlyMap<string, string>
}

/** Finds the route for a request. Paths are taken as they are: nothing is normalised. */
export class Router {
  readonly #routes: readonly { readonly route: Route; readonly segments: readonly string[] }[]

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ route, segments: route.path.split('/') }))
  }

  /** @throws ApiError when there is nothing at the path, or not for the method */
  match(method: string, path: string): MatchedRoute {
    const segments = path.split('/')
    const matches = this.#routes.flatMap(({ route, segments: pattern }) => {
      const parameters = matchSegments(pattern, segments)
      return parameters === undefined ? [] : [{ route, parameters }]
    })
    const match = matches.find(({ route }) => route.method === method)
    if (match !== undefined) return match
    if (matches.length > 0) {
      throw new ApiError('MethodNotAllowedException', `Cannot ${method} here`)
    }
    throw new ApiError('NotFoundException', 'There is nothing at this path')
  }
}

function matchSegments(
  pattern: readonly string[],
  segments: readonly string[],
): ReadonlyMap<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined
  const parameters = new Map<string, string>()
  for (const [index, expected] of pattern.entries()) {
    const segment = segments[index] ?? ''
    if (expected.startsWith('{')) parameters.set(expected.slice(1, -1), decode(segment))
    else if (segment !== expected) return undefined
  }
  return parameters
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (error) {
    const options = { cause: error }
    throw new ApiError('BadRequestException', 'Cannot read the path: bad escape', options)
  }
}
