/** What dynamic partitioning found in a record: values by the names that a Prefix uses. */
export interface PartitionKeys {
  /** For `!{partitionKeyFromQuery:…}`. */
  readonly query: ReadonlyMap<string, string>
  /** For `!{partitionKeyFromLambda:…}`. */
  readonly lambda: ReadonlyMap<string, string>
}

/** The partition keys without which an object of a stream can't be named. */
export interface PartitionRules {
  readonly queryKeys: readonly string[]
  readonly lambdaKeys: readonly string[]
  /** Whether an object can be named by these keys, safe for a path as they are. Absent: by any. */
  readonly fits?: (keys: PartitionKeys) => boolean
}

export const NO_PARTITION_KEYS: PartitionKeys = { query: new Map(), lambda: new Map() }
