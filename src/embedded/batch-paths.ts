/**
 * Where things are in a data directory.
 *
 *   <data>/batches/<stream id>/<batch id>.open       being appended to
 *                              <batch id>.import     being made as a whole; worth nothing unfinished
 *                              <batch id>.batch      sealed
 *                              <batch id>.manifest   frozen plan of a sealed batch
 *                              <batch id>.temporary  a manifest being written
 *                              <batch id>.staging    what processors make of a batch, being written
 *                              <batch id>.staged     what they made of it (staged-file.ts)
 *                              positions             how far the stream's source is read (position-log.ts)
 *                              positions.temporary   the same being written; replaced by the next
 *   <data>/quarantine/                               damaged chunks and files, for a human to look at
 */
import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { BATCH_ID_LENGTH, isBatchId } from '../batch.ts'
import type { BatchId } from '../batch.ts'

const KINDS = ['open', 'import', 'batch', 'manifest', 'temporary', 'staging', 'staged'] as const
export type BatchFileKind = (typeof KINDS)[number]

const POSITIONS = 'positions'
const TEMPORARY_POSITIONS = 'positions.temporary'

/** Ids are ours, never a client's; this is the last line of defence. */
const STREAM_ID_PATTERN = /^[\w-]{1,64}$/

export class BatchPaths {
  readonly data: string
  readonly batches: string
  readonly quarantine: string

  constructor(dataDirectory: string) {
    this.data = dataDirectory
    this.batches = join(dataDirectory, 'batches')
    this.quarantine = join(dataDirectory, 'quarantine')
  }

  stream(streamId: string): string {
    assert(isStreamId(streamId), 'stream ids are safe in paths')
    return join(this.batches, streamId)
  }

  positions(streamId: string): string {
    return join(this.stream(streamId), POSITIONS)
  }

  temporaryPositions(streamId: string): string {
    return join(this.stream(streamId), TEMPORARY_POSITIONS)
  }

  file({ streamId, batchId }: BatchName, kind: BatchFileKind): string {
    assert(isBatchId(batchId), 'batch ids are safe in paths')
    return join(this.stream(streamId), `${batchId}.${kind}`)
  }
}

export interface BatchName {
  readonly streamId: string
  readonly batchId: BatchId
}

export function isStreamId(text: string): boolean {
  return STREAM_ID_PATTERN.test(text)
}

/** Whether a file in a stream's directory is about positions rather than a batch. */
export function isPositionsName(name: string): boolean {
  return name === POSITIONS || name === TEMPORARY_POSITIONS
}

/** What a file in a stream's directory is; undefined when it isn't ours. */
export function parseFileName(name: string): { batchId: BatchId; kind: BatchFileKind } | undefined {
  const batchId = name.slice(0, BATCH_ID_LENGTH)
  const kind = KINDS.find((kind) => name === `${batchId}.${kind}`)
  return kind !== undefined && isBatchId(batchId) ? { batchId, kind } : undefined
}
