const ISO_8601 = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/

/** In ms since the epoch; undefined for what is no time. A date alone is its midnight in UTC. */
export function instantOf(text: string): number | undefined {
  const timeMs = ISO_8601.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(timeMs) ? undefined : timeMs
}
