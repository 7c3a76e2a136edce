import { strict as assert } from 'node:assert'
import type { RouteRequest } from '../operation.ts'

/** A parameter of the route's own path, which the server has matched. */
export function parameterOf({ parameters }: RouteRequest, name: string): string {
  const value = parameters.get(name)
  assert(value !== undefined, `the route's path has the parameter ${name}`)
  return value
}
