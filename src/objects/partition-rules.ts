import type { PartitionRules } from '../partition.ts'
import { PREFIX_BYTES_MAX } from './object-key.ts'
import type { ObjectPlan } from './object-plan.ts'
import type { Expression, Prefix, PrefixParts, PrefixSubject } from './prefix-expression.ts'
import { parsePrefixes, SAMPLE_SUBJECTS } from './prefixes.ts'
import type { PrefixRules } from './s3-configuration.ts'
import { s3Prefixes } from './s3-configuration.ts'

/**
 * The partition keys that a plan's objects are named by. Keys fit where a prefix with them leaves room
 * for an object's name, whenever its oldest record came, and the store takes the result.
 */
export function partitionRules(
  plan: ObjectPlan,
  prefixRules: PrefixRules,
  takesKey: (key: string) => boolean,
): PartitionRules {
  const { configuration } = plan
  const { prefix } = s3Prefixes(configuration, prefixRules)
  const { prefix: parts } = parsePrefixes(configuration)
  const samples = widestSamples(prefix)
  const isNamed = (subject: PrefixSubject): boolean => {
    if (Buffer.byteLength(prefix(subject)) > PREFIX_BYTES_MAX) return false
    return takesKey(plan.target({ ...subject, firstArrivalMs: subject.arrivalMs }).key)
  }
  return {
    queryKeys: partitionKeyNames(parts, 'partitionKeyFromQuery'),
    lambdaKeys: partitionKeyNames(parts, 'partitionKeyFromLambda'),
    fits: (partitionKeys) => samples.every((sample) => isNamed({ ...sample, partitionKeys })),
  }
}

/** Each once, in the order of the prefix. */
export function partitionKeyNames(
  parts: PrefixParts,
  wanted: Expression['namespace'],
): readonly string[] {
  const expressions = parts.filter((part) => typeof part !== 'string')
  const names = expressions.filter(({ namespace }) => namespace === wanted)
  return [...new Set(names.map(({ value }) => value))]
}

/** One for each shape that the prefix takes, which is nearly always one in all. */
function widestSamples(prefix: Prefix): readonly PrefixSubject[] {
  const byShape = new Map<string, PrefixSubject>()
  for (const sample of SAMPLE_SUBJECTS) {
    const segments = prefix(sample).split('/')
    byShape.set(segments.map((segment) => Buffer.byteLength(segment)).join('/'), sample)
  }
  return [...byShape.values()]
}
