/** The stages that a stream's records go through, read from a stored destination configuration. */
import { strict as assert } from 'node:assert'
import type { JsonObject } from '../base/json.ts'
import type { ProcessingConfiguration } from './processing-configuration.ts'
import { parameterValue } from './processor-parameters.ts'
import type { Processor } from './processor-parameters.ts'

/** Absent members and false ones are stages that are not there. */
export interface ProcessingPlan {
  readonly decompression: boolean
  readonly cloudWatchLogs?: { readonly messageExtraction: boolean }
  readonly deaggregation?: DeaggregationPlan
  readonly lambda?: LambdaPlan
  readonly sql?: { readonly query: string }
  readonly metadataExtraction?: { readonly query: string }
  /** Dynamic partitioning. */
  readonly partitioned: boolean
  /** The DataFormatConversionConfiguration. */
  readonly conversion?: JsonObject
}

export interface DeaggregationPlan {
  readonly subRecordType: 'JSON' | 'DELIMITED' | 'KPL'
  /** Of DELIMITED, and only of it. */
  readonly delimiter?: Buffer
}

export interface LambdaPlan {
  readonly arn: string
  /** Attempts after the first. */
  readonly retries: number
  readonly bufferBytes: number
}

/** The members that destinations have, or some of them. */
interface ProcessedDestination {
  readonly ProcessingConfiguration?: ProcessingConfiguration
  readonly DynamicPartitioningConfiguration?: { readonly Enabled: boolean }
  readonly DataFormatConversionConfiguration?: JsonObject & { readonly Enabled?: boolean }
}

const NO_STAGES: ProcessingPlan = { decompression: false, partitioned: false }
const MIB = 1024 * 1024

/**
 * @param destination as stored, of any type
 * @returns undefined when records go out as they came in; a delimiter is not put by processors
 */
export function processingPlan(destination: JsonObject): ProcessingPlan | undefined {
  const {
    ProcessingConfiguration: processing,
    DynamicPartitioningConfiguration: partitioning,
    DataFormatConversionConfiguration: conversion,
  } = destination as ProcessedDestination
  const processors = processing?.Enabled === true ? processing.Processors : []
  const stages: readonly Partial<ProcessingPlan>[] = [
    ...processors.map(stageOf),
    ...(partitioning?.Enabled === true ? [{ partitioned: true }] : []),
    ...(conversion !== undefined && conversion.Enabled !== false ? [{ conversion }] : []),
  ].filter((stage) => Object.keys(stage).length > 0)
  if (stages.length === 0) return undefined
  return stages.reduce<ProcessingPlan>((plan, stage) => ({ ...plan, ...stage }), NO_STAGES)
}

function stageOf(processor: Processor): Partial<ProcessingPlan> {
  const value = (name: string): string => storedValue(processor, name)
  switch (processor.Type) {
    case 'Decompression':
      return { decompression: true }
    case 'CloudWatchLogProcessing':
      return { cloudWatchLogs: { messageExtraction: value('DataMessageExtraction') === 'true' } }
    case 'RecordDeAggregation':
      return { deaggregation: deaggregationPlan(processor) }
    case 'Lambda':
      return {
        lambda: {
          arn: value('LambdaArn'),
          retries: Number(value('NumberOfRetries')),
          bufferBytes: Math.round(Number(value('BufferSizeInMBs')) * MIB),
        },
      }
    case 'SQL':
      return { sql: { query: value('SqlQuery') } }
    case 'MetadataExtraction':
      return { metadataExtraction: { query: value('MetadataExtractionQuery') } }
    default:
      assert.equal(processor.Type, 'AppendDelimiterToRecord', 'a stored processor is a known one')
      return {}
  }
}

function deaggregationPlan(processor: Processor): DeaggregationPlan {
  const subRecordType = storedValue(
    processor,
    'SubRecordType',
  ) as DeaggregationPlan['subRecordType']
  if (subRecordType !== 'DELIMITED') return { subRecordType }
  const delimiter = Buffer.from(storedValue(processor, 'Delimiter'), 'base64')
  return { subRecordType, delimiter }
}

function storedValue(processor: Processor, name: string): string {
  const value = parameterValue(processor, name)
  assert(value !== undefined, `a stored ${processor.Type} processor has its ${name}`)
  return value
}
