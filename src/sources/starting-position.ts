/**
 * Where reading begins, as an extension: StartingPosition, StartingTimestamp. AWS begins at the delivery
 * stream's creation. LATEST is the same instant here: were it decided when reading begins, a restart before
 * the first record would skip records.
 */
import type { JsonObject } from '../base/json.ts'

/**
 * The stored form: TRIM_HORIZON, or AT_TIMESTAMP with an instant in seconds.
 * @param refuse throws, saying the reason
 */
export function startingPosition(
  { StartingPosition = 'LATEST', StartingTimestamp }: JsonObject,
  createdAtMs: number,
  refuse: (reason: string) => never,
): JsonObject {
  if (StartingTimestamp !== undefined && StartingPosition !== 'AT_TIMESTAMP') {
    refuse('StartingTimestamp goes with the StartingPosition AT_TIMESTAMP only')
  }
  switch (StartingPosition) {
    case 'TRIM_HORIZON':
      return { StartingPosition }
    case 'LATEST':
      return { StartingPosition: 'AT_TIMESTAMP', StartingTimestamp: createdAtMs / 1_000 }
    case 'AT_TIMESTAMP':
      if (typeof StartingTimestamp !== 'number' || !(StartingTimestamp >= 0)) {
        return refuse('StartingTimestamp must be given, in seconds since 1970')
      }
      if (StartingTimestamp * 1_000 > createdAtMs) refuse('StartingTimestamp is in the future')
      return { StartingPosition, StartingTimestamp }
    default:
      return refuse('StartingPosition must be LATEST, TRIM_HORIZON or AT_TIMESTAMP')
  }
}

/** DeliveryStartTimestamp is AWS's; there is none where all that the source still has is read. */
export function describeStart({ StartingPosition, StartingTimestamp }: JsonObject): JsonObject {
  return StartingTimestamp === undefined
    ? { StartingPosition }
    : { DeliveryStartTimestamp: StartingTimestamp }
}

/** In wall time; undefined: all that the source still has. */
export function startMs({ StartingTimestamp }: JsonObject): number | undefined {
  return typeof StartingTimestamp === 'number' ? Math.round(StartingTimestamp * 1_000) : undefined
}
