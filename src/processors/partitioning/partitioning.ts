/**
 * The last stage of dynamic partitioning: says which partition a record belongs to. Records have the
 * same one when all the keys that the stream's Prefix uses have the same values. It holds what the
 * partitions of one batch are called, and nothing of the records.
 */
import type { Clock } from '../../base/clock.ts'
import { NO_PARTITION_KEYS } from '../../partition.ts'
import type { PartitionKeys, PartitionRules } from '../../partition.ts'
import type {
  ProcessingFailure,
  ProcessingJob,
  ProcessingRecord,
  Processor,
  Records,
} from '../../processor.ts'
import { extractionFailure, limitFailure } from './partition-failure.ts'
import { safeValue } from './partition-value.ts'

export interface PartitioningOptions {
  readonly rules: PartitionRules
  /** Distinct partitions of one batch; what is beyond goes to the error output. */
  readonly partitionsMax: number
  readonly clock: Clock
}

interface Partition {
  readonly partition: string
  readonly keys: PartitionKeys
}

export function partitioning(options: PartitioningOptions): Processor {
  return { process: (records, job) => partition(records, job, options) }
}

async function* partition(
  records: Records,
  job: ProcessingJob,
  options: PartitioningOptions,
): Records {
  const partitions = new Partitions(options)
  for await (const group of records) {
    const partitioned: ProcessingRecord[] = []
    for (const record of group) {
      const found = partitions.find(record.keys ?? NO_PARTITION_KEYS)
      if ('partition' in found) partitioned.push({ ...record, ...found })
      else job.fail(record, found)
    }
    if (partitioned.length > 0) yield partitioned
  }
}

/** The partitions of a batch, by their values in the order of the rules. */
class Partitions {
  readonly #options: PartitioningOptions
  readonly #partitions = new Map<string, Partition>()

  constructor(options: PartitioningOptions) {
    this.#options = options
  }

  find(keys: PartitionKeys): Partition | ProcessingFailure {
    const { rules, partitionsMax, clock } = this.#options
    const query = rules.queryKeys.map((name) => keys.query.get(name))
    const lambda = rules.lambdaKeys.map((name) => keys.lambda.get(name))
    // As JSON, one text for each tuple of values. An absent one is null, and makes no partition.
    const tuple = JSON.stringify([query, lambda])
    const known = this.#partitions.get(tuple)
    if (known !== undefined) return known
    const queryKeys = safeKeys(rules.queryKeys, keys.query)
    const lambdaKeys = safeKeys(rules.lambdaKeys, keys.lambda)
    const unfit = [...queryKeys.unfit, ...lambdaKeys.unfit]
    if (unfit.length > 0) {
      return extractionFailure(unfit.join('; '), clock.nowMs())
    }
    const safe = { query: queryKeys.values, lambda: lambdaKeys.values }
    if (rules.fits?.(safe) === false) {
      return extractionFailure('The partition keys are too long for a prefix', clock.nowMs())
    }
    if (this.#partitions.size >= partitionsMax) return limitFailure(partitionsMax, clock.nowMs())
    const made = { partition: tuple, keys: safe }
    this.#partitions.set(tuple, made)
    return made
  }
}

interface SafeKeys {
  readonly values: ReadonlyMap<string, string>
  /** Why others have no value. */
  readonly unfit: readonly string[]
}

/** The keys of these names, made safe for a path. */
function safeKeys(names: readonly string[], given: ReadonlyMap<string, string>): SafeKeys {
  const values = new Map<string, string>()
  const unfit: string[] = []
  for (const name of names) {
    const value = given.get(name)
    const safe = value === undefined ? undefined : safeValue(value)
    if (safe !== undefined) values.set(name, safe)
    else if (value === undefined) unfit.push(`partitionKeys has no value for '${name}'`)
    else
      unfit.push(`The value of partition key '${name}' is empty or too long for an object's name`)
  }
  return { values, unfit }
}
