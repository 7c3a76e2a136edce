/** The table of destinations: one folder and one line each. */
import type { Destination, DestinationContext, DestinationType } from '../src/destination.ts'
import { httpEndpoint } from './http-endpoint/index.ts'
import { mongoDB } from './mongodb/index.ts'
import { openSearch } from './opensearch/index.ts'
import { redshift } from './redshift/index.ts'
import { s3 } from './s3/index.ts'
import { splunk } from './splunk/index.ts'

const TYPES: readonly DestinationType[] = [
  s3,
  httpEndpoint,
  splunk,
  ...openSearch,
  redshift,
  mongoDB,
]

/** By name, as in stored streams. */
export const destinationTypes: ReadonlyMap<string, DestinationType> = new Map(
  TYPES.map((type) => [type.name, type]),
)

/** One of each, by the name of its type. Closing them is the caller's. */
export function openDestinations(context: DestinationContext): ReadonlyMap<string, Destination> {
  return new Map([...destinationTypes].map(([name, type]) => [name, type.open(context)]))
}
