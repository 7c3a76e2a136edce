/** The table of destinations: one folder and one line each. */
import type { DestinationType } from '../src/destination.ts'
import { s3 } from './s3/index.ts'

const TYPES: readonly DestinationType[] = [s3]

/** By name, as in stored streams. */
export const destinationTypes: ReadonlyMap<string, DestinationType> = new Map(
  TYPES.map((type) => [type.name, type]),
)
