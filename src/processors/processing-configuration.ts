/**
 * What a destination's ProcessingConfiguration may say. One that is switched off is kept and echoed
 * as it is. One that is switched on is checked and completed with defaults (processor-parameters.ts);
 * the order in which it lists processors means nothing.
 */
import type { JsonObject } from '../base/json.ts'
import type { ConfigurationContext } from '../destination.ts'
import { ConfigurationError } from '../destination.ts'
import { completedProcessor } from './processor-parameters.ts'
import type { ProcessingRules, Processor } from './processor-parameters.ts'

/** As stored. */
export type ProcessingConfiguration = {
  readonly Enabled: boolean
  readonly Processors: readonly Processor[]
}

const PROCESSOR_COUNT_MAX = 5

/**
 * The configuration that replaces the stored one. Omitted Processors are none. Omitted Enabled is off
 * at create; in an update it stays as it was (observers disagree, and to switch off what nobody
 * mentioned would be the worse mistake).
 * @throws ConfigurationError
 */
export function replaceProcessing(
  stored: ProcessingConfiguration | undefined,
  given: JsonObject,
  rules: ProcessingRules,
): ProcessingConfiguration {
  const configuration = {
    Enabled: stored?.Enabled ?? false,
    Processors: [],
    ...(given as Partial<ProcessingConfiguration>),
  }
  if (!configuration.Enabled) return configuration
  checkProcessors(configuration.Processors, rules)
  const Processors = configuration.Processors.map((each) => completedProcessor(each, rules))
  return { ...configuration, Processors }
}

/**
 * With the limits of AWS, an update may switch Decompression on only where Decompression or a Lambda
 * processor is at work already (facts: Processing).
 * @throws ConfigurationError
 */
export function checkProcessingUpdate(
  before: ProcessingConfiguration | undefined,
  after: ProcessingConfiguration | undefined,
  { strictAws }: ConfigurationContext,
): void {
  if (!strictAws || enabledProcessor(after, 'Decompression') === undefined) return
  const had = ['Decompression', 'Lambda'].some((type) => enabledProcessor(before, type))
  if (had) return
  throw new ConfigurationError(
    'DecompressionProcessor can only be enabled on a Firehose that has DecompressionProcessor or LambdaProcessor enabled',
  )
}

/** The processor of a type that is at work. */
export function enabledProcessor(
  processing: ProcessingConfiguration | undefined,
  type: string,
): Processor | undefined {
  if (processing?.Enabled !== true) return undefined
  return processing.Processors.find(({ Type }) => Type === type)
}

/** What goes between two records of an object; undefined: nothing. */
export function recordDelimiter(
  processing: ProcessingConfiguration | undefined,
): Buffer | undefined {
  const appends = enabledProcessor(processing, 'AppendDelimiterToRecord') !== undefined
  return appends ? Buffer.from('\n') : undefined
}

function checkProcessors(processors: readonly Processor[], rules: ProcessingRules): void {
  if (processors.length < 1 || processors.length > PROCESSOR_COUNT_MAX) {
    throw new ConfigurationError(
      'A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is enabled.',
    )
  }
  const types = processors.map(({ Type }) => Type)
  const doubled = types.find((type, index) => types.indexOf(type) < index)
  if (doubled !== undefined) {
    throw new ConfigurationError(`Cannot have more than 1 ${doubled} processor`)
  }
  if (types.includes('CloudWatchLogProcessing') && !types.includes('Decompression')) {
    throw new ConfigurationError(
      'CloudWatchLogProcessingProcessor can only be enabled with DecompressionProcessor',
    )
  }
  if (types.includes('MetadataExtraction') && !rules.canBePartitioned) {
    throw new ConfigurationError(
      'MetadataExtraction processor is only supported for an S3 destination with Dynamic Partitioning',
    )
  }
}
