import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import type { StoredChunk } from '../../src/batch-store.ts'
import { chunkOf } from '../../src/chunk.ts'
import type { EncodedOutput } from '../../src/destination.ts'
import type { Manifest } from '../../src/manifest.ts'
import { DocumentOutputs } from './document-outputs.ts'

const NOON = Date.UTC(2026, 10, 21, 12)
const MIDNIGHT = Date.UTC(2026, 10, 22)
const KIB = 1024

type Run = readonly [count: number, sizeBytes: number, arrivalMs: number]

/** Chunks of so many records of so many bytes each, that arrived then. */
function chunksOf(...runs: readonly Run[]): readonly StoredChunk[] {
  let firstOrdinal = 0
  return runs.map(([count, sizeBytes, arrivalMs]): StoredChunk => {
    const records = Array.from({ length: count }, () => Buffer.alloc(sizeBytes))
    const chunk = { ...chunkOf(records, arrivalMs), firstOrdinal }
    firstOrdinal += count
    return chunk
  })
}

function outputsOf(
  configuration: JsonObject,
  chunks: readonly StoredChunk[],
  frozen?: Manifest,
): readonly EncodedOutput[] {
  const outputs = new DocumentOutputs({ IndexName: 'logs', ...configuration }, frozen)
  for (const chunk of chunks) outputs.add(chunk)
  return outputs.encoded()
}

function manifestOf(outputs: readonly EncodedOutput[]): Manifest {
  const bytes = { sizeBytes: 0, sha256: '', formerSha256s: [] }
  const backup = { kind: 's3-backup', target: {}, accounting: 'copy', recordCount: 1 } as const
  return {
    batchId: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    versionId: 1,
    destinationType: 'AmazonOpenSearchService',
    destination: {},
    frozenAtMs: NOON,
    outputs: [backup, ...outputs].map((output) => ({ ...output, ...bytes })),
    droppedCount: 0,
    quarantinedCount: 0,
  }
}

function documents(index: string, from: number, to: number, recordCount = to - from): object {
  const target = { index, documentIds: 'FIREHOSE_DEFAULT' }
  return { kind: 'documents', target, accounting: 'delivered', recordCount, range: { from, to } }
}

test('each record goes to the day of its own arrival', () => {
  const chunks = chunksOf([2, 10, MIDNIGHT - 1], [3, 10, MIDNIGHT], [1, 10, MIDNIGHT + 1])
  expect(outputsOf({ IndexRotationPeriod: 'OneDay' }, chunks)).toEqual([
    documents('logs-2026-11-21', 0, 2),
    documents('logs-2026-11-22', 2, 6),
  ])
})

test('an output has at most 10,000 records', () => {
  expect(outputsOf({}, chunksOf([25_000, 1, NOON]))).toEqual([
    documents('logs', 0, 10_000),
    documents('logs', 10_000, 20_000),
    documents('logs', 20_000, 25_000),
  ])
})

test('an output has at most 5 MiB, unless it is a single record', () => {
  const chunks = chunksOf([6, 1_000 * KIB, NOON], [1, 6_000 * KIB, NOON], [1, 1, NOON])
  expect(outputsOf({}, chunks)).toEqual([
    documents('logs', 0, 5),
    documents('logs', 5, 6),
    documents('logs', 6, 7),
    documents('logs', 7, 8),
  ])
})

test('what is frozen stays, whatever became of the chunks and the configuration', () => {
  const chunks = chunksOf([2, 10, MIDNIGHT - 1], [3, 10, MIDNIGHT], [1, 10, MIDNIGHT + 1])
  const rotating = { IndexRotationPeriod: 'OneDay' }
  const frozen = manifestOf(outputsOf(rotating, chunks))
  expect(outputsOf({ IndexName: 'other' }, chunks.slice(2), frozen)).toEqual([
    documents('logs-2026-11-21', 0, 2, 0),
    documents('logs-2026-11-22', 2, 6, 1),
  ])
})

test('a damaged chunk leaves a gap in the range, and counts nowhere', () => {
  const [first, , third] = chunksOf([2, 10, NOON], [3, 10, NOON], [1, 10, NOON])
  expect(outputsOf({}, [first, third] as StoredChunk[])).toEqual([documents('logs', 0, 6, 3)])
})

test('type and missing ids are kept with the index', () => {
  const DocumentIdOptions = { DefaultDocumentIdFormat: 'NO_DOCUMENT_ID' }
  const configuration = { TypeName: 'event', DocumentIdOptions }
  const [output] = outputsOf(configuration, chunksOf([1, 1, NOON]))
  const target = { index: 'logs', type: 'event', documentIds: 'NO_DOCUMENT_ID' }
  expect(output?.target).toEqual(target)
})

test('an empty type is none', () => {
  const [output] = outputsOf({ TypeName: '' }, chunksOf([1, 1, NOON]))
  expect(output?.target).toEqual({ index: 'logs', documentIds: 'FIREHOSE_DEFAULT' })
})
