/**
 * What a destination's ProcessingConfiguration may say. One that is switched off is kept and echoed
 * as it is; a processor that is switched on and not built is refused, for nothing is accepted and
 * then ignored.
 */
import type { JsonObject } from '../base/json.ts'
import { ConfigurationError } from '../destination.ts'

/** As stored. */
export type ProcessingConfiguration = {
  readonly Enabled: boolean
  readonly Processors: readonly Processor[]
}

export type Processor = {
  readonly Type: string
  readonly Parameters?: readonly ProcessorParameter[]
}

export type ProcessorParameter = {
  readonly ParameterName: string
  readonly ParameterValue: string
}

const PROCESSOR_COUNT_MAX = 5
/** How a line feed is written as a parameter: escaped, as in Terraform's manual, or in base64. */
const LINE_FEEDS = ['\\n', 'Cg==']

/**
 * The configuration that replaces the stored one. Omitted Processors are none. Omitted Enabled is off
 * at create; in an update it stays as it was (observers disagree, and to switch off what nobody
 * mentioned would be the worse mistake).
 * @throws ConfigurationError
 */
export function replaceProcessing(
  stored: ProcessingConfiguration | undefined,
  given: JsonObject,
): ProcessingConfiguration {
  const configuration = {
    Enabled: stored?.Enabled ?? false,
    Processors: [],
    ...(given as Partial<ProcessingConfiguration>),
  }
  if (configuration.Enabled) checkProcessors(configuration.Processors)
  return { ...configuration, Processors: configuration.Processors.map(storedProcessor) }
}

/** What goes between two records of an object; undefined: nothing. */
export function recordDelimiter(
  processing: ProcessingConfiguration | undefined,
): Buffer | undefined {
  const appends = processing?.Processors.some(({ Type }) => Type === 'AppendDelimiterToRecord')
  return processing?.Enabled === true && appends === true ? Buffer.from('\n') : undefined
}

function checkProcessors(processors: readonly Processor[]): void {
  if (processors.length < 1 || processors.length > PROCESSOR_COUNT_MAX) {
    throw new ConfigurationError(
      'A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is enabled.',
    )
  }
  for (const { Type, Parameters = [] } of processors) {
    if (Type !== 'AppendDelimiterToRecord') {
      throw new ConfigurationError(
        `The processor ${Type} is not supported by this version of Standpipe`,
      )
    }
    for (const { ParameterName, ParameterValue } of Parameters) {
      if (ParameterName === 'Delimiter' && LINE_FEEDS.includes(ParameterValue)) continue
      throw new ConfigurationError(
        `The processor ${Type} appends a line feed: ${ParameterName} '${ParameterValue}' is not supported`,
      )
    }
  }
  if (processors.length > 1) {
    throw new ConfigurationError('Cannot have more than 1 AppendDelimiterToRecord processor')
  }
}

/** AWS forgets the parameters of AppendDelimiterToRecord, for there is only one delimiter. */
function storedProcessor(processor: Processor): Processor {
  return processor.Type === 'AppendDelimiterToRecord' ? { ...processor, Parameters: [] } : processor
}
