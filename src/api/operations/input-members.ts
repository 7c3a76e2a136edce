/** Reads members that the model requires; that they are there was checked before (validation.ts). */
import { strict as assert } from 'node:assert'
import type { JsonObject } from '../../base/json.ts'

export function requiredString(input: JsonObject, member: string): string {
  const value = input[member]
  assert(typeof value === 'string', `the model requires ${member} to be a string`)
  return value
}

export function streamNameOf(input: JsonObject): string {
  return requiredString(input, 'DeliveryStreamName')
}
