import type { JsonObject } from '../../src/base/json.ts'

/** A source to be measured. */
export interface SourcePlan {
  readonly name: string
  /** Fewer where the server is slow. */
  readonly recordCountMax: number
  /** What it takes, for whoever lacks it. */
  readonly needs: string
  /** Starts its server; undefined where none can be had. */
  open(): Promise<SourceBench | undefined>
  /**
   * Reads all there is of that name with the client library alone, throws it away, and commits how far it
   * is as its users do. Run in a process of its own.
   */
  readBare(place: string, name: string, recordCount: number): Promise<void>
}

/** Its server, for as long as it isn't disposed of. */
export interface SourceBench extends AsyncDisposable {
  /** Where the server is, as `readBare` is told. */
  readonly place: string
  /** Fills a topic, or what its kind of source has, of that name, which is new. */
  fill(name: string, recordCount: number): Promise<void>
  /** The service's, beside the benchmark's own, so that it reads what has one of these names. */
  environment(names: readonly string[]): Readonly<Record<string, string>>
  /** Members of CreateDeliveryStream that make it read all there is of that name. */
  stream(name: string): JsonObject
}

export const ROLE = 'arn:aws:iam::000000000000:role/bench'

/** Unlike each other as far as compression can see; more are these again. */
export const DISTINCT_RECORDS = 50_000
