import { strict as assert } from 'node:assert'
import type { Chunk } from '../batch.ts'
import type { EncodeJob, OutputContent, Spool } from '../destination.ts'
import type { TableSchema } from '../table-schema.ts'
import { ObjectEncoder } from './object-encoder.ts'
import { outputUuid } from './object-key.ts'
import type { ObjectPlan } from './object-plan.ts'
import { ParquetEncoder } from './parquet-encoder.ts'

/** One object in the making, in whatever format. */
export interface RecordEncoder {
  /** Of the records added. */
  readonly recordCount: number
  /** Never called concurrently. */
  add(chunk: Chunk): Promise<void>
  finish(): Promise<OutputContent>
}

export function openRecordEncoder(
  { batch, processed }: EncodeJob,
  { configuration, conversion, delimiter, outputIndex }: ObjectPlan,
  spool: Spool,
): RecordEncoder {
  if (conversion === undefined) {
    return new ObjectEncoder({
      compressionFormat: configuration.CompressionFormat,
      entryName: outputUuid(batch.batchId, outputIndex),
      delimiter,
      spool,
    })
  }
  const schema = processed?.tableSchema
  assert(schema !== undefined, 'records are converted by a schema')
  return new ParquetEncoder({ schema: schema as TableSchema, configuration: conversion, spool })
}
