/**
 * The stages of a stream's processing, in Firehose's fixed order, whatever the order of declaration:
 *
 *   KPL de-aggregation ▸ decompression ▸ CloudWatch Logs ▸ record de-aggregation ▸ Lambda ▸ SQL (an
 *   extension) ▸ metadata extraction ▸ partitioning ▸ format conversion
 *
 * Delimiters and compression come later, when objects are encoded.
 */
import type { Clock } from '../base/clock.ts'
import type { Functions } from '../functions.ts'
import type { PartitionRules } from '../partition.ts'
import type { Processor } from '../processor.ts'
import type { Tables } from '../table-schema.ts'
import { cloudWatchLogs } from './unpacking/cloud-watch-logs.ts'
import { decompression } from './unpacking/decompression.ts'
import { formatConversion } from './conversion/format-conversion.ts'
import type { JqEngine } from './partitioning/jq-engine.ts'
import { kplDeaggregation } from './unpacking/kpl-deaggregation.ts'
import { lambda } from './lambda/lambda.ts'
import { metadataExtraction } from './partitioning/metadata-extraction.ts'
import { partitioning } from './partitioning/partitioning.ts'
import type { ProcessingPlan } from './processing-plan.ts'
import { recordDeaggregation } from './unpacking/record-deaggregation.ts'
import type { SqlEngine } from './sql/sql-engine.ts'
import { sql } from './sql/sql.ts'

/** What stages need of their process. */
export interface ProcessorTools {
  readonly functions: Functions
  readonly tables: Tables
  readonly jq: JqEngine
  readonly sql: SqlEngine
  /** Distinct partitions of one batch; what is beyond goes to the error output. */
  readonly partitionsMax: number
  readonly clock: Clock
}

export interface Stage {
  /** As it is called in `explain`: AWS's ProcessorType where there is one. */
  readonly name: string
  readonly processor: Processor
}

/** @param partitions present when the stream's batches are partitioned */
export function openProcessors(
  plan: ProcessingPlan,
  partitions: PartitionRules | undefined,
  tools: ProcessorTools,
): readonly Stage[] {
  const { clock, functions, jq, tables, partitionsMax } = tools
  const { deaggregation, metadataExtraction: extraction, conversion } = plan
  const stages: Stage[] = []
  const add = (name: string, processor: Processor): void => void stages.push({ name, processor })
  const { subRecordType } = deaggregation ?? {}
  if (subRecordType === 'KPL') add('RecordDeAggregation', kplDeaggregation())
  if (plan.decompression) add('Decompression', decompression({ clock }))
  if (plan.cloudWatchLogs)
    add('CloudWatchLogProcessing', cloudWatchLogs({ ...plan.cloudWatchLogs, clock }))
  if (subRecordType === 'JSON' || subRecordType === 'DELIMITED') {
    add('RecordDeAggregation', recordDeaggregation({ ...deaggregation, subRecordType, clock }))
  }
  if (plan.lambda) add('Lambda', lambda({ ...plan.lambda, functions, clock }))
  if (plan.sql) add('SQL', sql({ ...plan.sql, engine: tools.sql, clock }))
  if (extraction) add('MetadataExtraction', metadataExtraction({ ...extraction, jq, clock }))
  if (partitions)
    add('DynamicPartitioning', partitioning({ rules: partitions, partitionsMax, clock }))
  if (conversion)
    add('DataFormatConversion', formatConversion({ configuration: conversion, tables, clock }))
  return stages
}
