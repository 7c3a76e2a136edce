import { appendFile, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { stageTexts } from '../../test/contracts/batch-staging.ts'
import {
  ARRIVAL_MS,
  chunk,
  listed,
  manifestOf,
  only,
  readChunks,
} from '../../test/contracts/batch-store.ts'
import { TemporaryStore } from '../../test/contracts/temporary-store.ts'
import type { SealedBatch } from '../batch.ts'
import { withMetadata } from '../chunk.ts'
import { CHUNK_HEADER_BYTES, FOOTER_BYTES, HEADER_BYTES } from './batch-file.ts'
import { DataLock } from './data-lock.ts'
import { checkData, showBatch } from './inspect.ts'
import type { BatchPart } from './inspect.ts'
import type { StagedPart } from './inspect-staged.ts'
import { nodeFileSystem } from './node-file-system.ts'
import { repairData } from './repair.ts'
import { STAGED_HEADER_BYTES, STAGED_TRAILER_BYTES, TABLE_ENTRY_BYTES } from './staged-file.ts'

/** A sealed batch of two chunks with a manifest and two staged blocks, and an open batch. */
async function makeData() {
  const made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  await store.append(target, chunk('a', 'bb'))
  await store.append(target, chunk('ccc'))
  await store.seal(target.streamId, 'flush')
  const sealed = only(made.sealed)
  await store.freeze(sealed, manifestOf(sealed))
  await stageTexts(store, sealed, 'index', 'block', 'other')
  await store.append(target, chunk('dddd'))
  const { batchId: openId } = only(await store.openBatches(target.streamId))
  await store.close()
  return {
    made,
    sealed,
    openPath: made.paths.file({ ...target, batchId: openId }, 'open'),
    sealedPath: made.paths.file(sealed, 'batch'),
    manifestPath: made.paths.file(sealed, 'manifest'),
    stagedPath: made.paths.file(sealed, 'staged'),
  }
}

const STAGED_BYTES = STAGED_HEADER_BYTES + 2 * 5 + 5 + 2 * TABLE_ENTRY_BYTES + STAGED_TRAILER_BYTES
const SECOND_CHUNK_AT = HEADER_BYTES + CHUNK_HEADER_BYTES + 2 * 4 + 3

const repair = (made: TemporaryStore) =>
  repairData({
    dataDirectory: made.directory,
    fileSystem: nodeFileSystem,
    clock: made.clock,
    logger: made.logger,
  })

test('a directory in good order is reported as it is', async () => {
  const { made } = await makeData()
  await using _ = made
  expect(await checkData(made.directory, nodeFileSystem, made.logger)).toEqual({
    openBatchCount: 1,
    sealedBatchCount: 1,
    manifestCount: 1,
    stagedCount: 1,
    stagedBytes: STAGED_BYTES,
    positionCount: 0,
    recordCount: 4,
    dataBytes: 10,
    quarantinedCount: 0,
    findings: [],
  })
})

test('everything that is wrong is found, and told where', async () => {
  const { made, sealed, sealedPath, openPath, manifestPath, stagedPath } = await makeData()
  await using _ = made
  await flip(stagedPath, STAGED_HEADER_BYTES + 5)
  await flip(sealedPath, SECOND_CHUNK_AT + CHUNK_HEADER_BYTES)
  await flip(sealedPath, 3)
  await flip(openPath, HEADER_BYTES)
  await flip(manifestPath, 10)
  await writeFile(made.paths.file(sealed, 'temporary'), '')
  const { findings, recordCount } = await checkData(made.directory, nodeFileSystem, made.logger)
  expect(recordCount).toBe(2)
  expect(new Set(findings)).toEqual(
    new Set([
      {
        kind: 'damaged-chunk',
        path: sealedPath,
        offset: SECOND_CHUNK_AT,
        sizeBytes: CHUNK_HEADER_BYTES + 4 + 3,
        recordCount: 1,
      },
      { kind: 'damaged-header', path: sealedPath },
      { kind: 'missing-records', path: sealedPath, recordCount: 1 },
      { kind: 'damaged-manifest', path: manifestPath },
      { kind: 'damaged-staging', path: stagedPath },
      { kind: 'left-over', path: made.paths.file(sealed, 'temporary') },
      {
        kind: 'torn-tail',
        path: openPath,
        offset: HEADER_BYTES,
        sizeBytes: CHUNK_HEADER_BYTES + 4 + 4,
      },
    ]),
  )
})

test('a damaged footer is found', async () => {
  const { made, sealed, sealedPath } = await makeData()
  await using _ = made
  await flip(sealedPath, sealed.storedBytes - FOOTER_BYTES + 30)
  const { findings } = await checkData(made.directory, nodeFileSystem, made.logger)
  expect(findings).toEqual([{ kind: 'damaged-footer', path: sealedPath }])
})

/** A stream whose source has two partitions: `a` was read twice, and before the last time `b` once. */
async function makePositions() {
  const made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  const origins = [
    { partition: 'a', sequence: 1, position: 'x' },
    { partition: 'b', sequence: 1, position: 'y' },
    { partition: 'a', sequence: 2, position: 'z' },
  ]
  for (const origin of origins) {
    await store.append(target, { ...withMetadata(chunk('r'), [{ key: 'k' }]), origin })
    await store.seal(target.streamId, 'flush')
  }
  await store.close()
  const path = made.paths.positions(target.streamId)
  const lineEnd = (await readFile(path)).indexOf('\n') + 1
  return { made, origins, path, lineEnd }
}

async function partsOf(path: string) {
  const parts: (BatchPart | StagedPart)[] = []
  for await (const part of showBatch(path, nodeFileSystem)) parts.push(part)
  return parts
}

test('positions are counted, and are in nobody else’s way', async () => {
  const { made } = await makePositions()
  await using _ = made
  const report = await checkData(made.directory, nodeFileSystem, made.logger)
  expect(report).toMatchObject({ positionCount: 2, recordCount: 3, dataBytes: 3, findings: [] })
  expect(made.complaints).toEqual([])
})

test('damaged positions are found, kept and taken out', async () => {
  const { made, path, lineEnd } = await makePositions()
  await using _ = made
  await flip(path, 20)
  await appendFile(path, 'torn')
  const { size } = await stat(path)
  const { findings, positionCount } = await checkData(made.directory, nodeFileSystem, made.logger)
  expect({ findings, positionCount }).toEqual({
    positionCount: 2,
    findings: [
      { kind: 'damaged-positions', path, offset: 0, sizeBytes: lineEnd },
      { kind: 'torn-tail', path, offset: size - 4, sizeBytes: 4 },
    ],
  })
  expect(await repair(made)).toMatchObject({ quarantinedPositionsCount: 1, failedCount: 0 })
  const after = await checkData(made.directory, nodeFileSystem, made.logger)
  expect(after).toMatchObject({ findings: [], positionCount: 2, quarantinedCount: 1 })
  expect(await repair(made)).toMatchObject({ quarantinedPositionsCount: 0 })
})

test('a file of positions is shown line by line', async () => {
  const { made, origins, path, lineEnd } = await makePositions()
  await using _ = made
  await flip(path, 20)
  const atMs = ARRIVAL_MS
  expect(await partsOf(path)).toEqual([
    { part: 'position', position: { ...origins[1], atMs } },
    { part: 'position', position: { ...origins[2], atMs } },
    { part: 'damage', offset: 0, sizeBytes: lineEnd },
  ])
})

test('a chunk is shown with where it comes from', async () => {
  const { made, origins } = await makePositions()
  await using _ = made
  const [first] = made.sealed
  const [, part] = await partsOf(made.paths.file(first as SealedBatch, 'batch'))
  expect(part).toMatchObject({ part: 'chunk', state: 'plain', dataBytes: 1, origin: origins[0] })
  expect(part).toMatchObject({ metadataBytes: '[{"key":"k"}]'.length })
})

test('of an import nothing is shown of an origin', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const origin = { partition: 'a', sequence: 9, position: 'x' }
  async function* chunks() {
    yield { ...chunk('r'), origin }
  }
  const batchId = '01KAJ2Z5W00000000000000000'
  await store.importBatch(made.target(), batchId, chunks(), 'replay')
  const [, part] = await partsOf(made.paths.file(only(made.sealed), 'batch'))
  expect(part).toMatchObject({ part: 'chunk', state: 'plain' })
  expect(part).not.toHaveProperty('origin')
})

test('a batch file is shown part by part', async () => {
  const { made, sealed, sealedPath } = await makeData()
  await using _ = made
  await flip(sealedPath, SECOND_CHUNK_AT)
  const parts: (BatchPart | StagedPart)[] = []
  for await (const part of showBatch(sealedPath, nodeFileSystem)) parts.push(part)
  const { batchId, streamId, firstArrivalMs: arrivalMs } = sealed
  expect(parts).toEqual([
    { part: 'header', header: { batchId, streamId, bornMs: made.clock.nowMs() } },
    {
      part: 'chunk',
      state: 'plain',
      offset: HEADER_BYTES,
      sizeBytes: SECOND_CHUNK_AT - HEADER_BYTES,
      firstOrdinal: 0,
      recordCount: 2,
      dataBytes: 3,
      arrivalMs,
    },
    {
      part: 'chunk',
      state: 'damaged',
      offset: SECOND_CHUNK_AT,
      sizeBytes: CHUNK_HEADER_BYTES + 4 + 3,
    },
    { part: 'footer', footer: sealed },
  ])
})

test('a file that is no batch is not shown', async () => {
  const { made, manifestPath } = await makeData()
  await using _ = made
  await expect(showBatch(manifestPath, nodeFileSystem).next()).rejects.toThrow(
    'it is not named <batch id>.batch, .open or .staged',
  )
})

test('a staged file is shown block by block', async () => {
  const { made, sealed, stagedPath } = await makeData()
  await using _ = made
  await flip(stagedPath, STAGED_HEADER_BYTES + 5)
  const parts: (BatchPart | StagedPart)[] = []
  for await (const part of showBatch(stagedPath, nodeFileSystem)) parts.push(part)
  const { batchId, streamId } = sealed
  expect(parts).toEqual([
    {
      part: 'header',
      header: { batchId, streamId, salt: expect.stringMatching(/^[0-9a-f]{32}$/) },
    },
    { part: 'block', state: 'plain', offset: STAGED_HEADER_BYTES, sizeBytes: 5 },
    { part: 'block', state: 'damaged', offset: STAGED_HEADER_BYTES + 5, sizeBytes: 5 },
    { part: 'index', offset: STAGED_HEADER_BYTES + 10, sizeBytes: 5 },
  ])
})

test('a staged file whose index is damaged is not shown', async () => {
  const { made, stagedPath } = await makeData()
  await using _ = made
  await flip(stagedPath, STAGED_HEADER_BYTES + 10)
  await expect(showBatch(stagedPath, nodeFileSystem).next()).rejects.toThrow('damage in its index')
})

test('a staged file that is damaged takes its manifest along, whose names were made for it', async () => {
  const { made, stagedPath } = await makeData()
  await using _ = made
  await flip(stagedPath, STAGED_BYTES - 1)
  expect(await repair(made)).toMatchObject({
    quarantinedManifestCount: 1,
    quarantinedStagingCount: 1,
    quarantinedPositionsCount: 0,
  })
  const left = await checkData(made.directory, nodeFileSystem, made.logger)
  expect(left).toMatchObject({ manifestCount: 0, stagedCount: 0 })
})

test('after a repair only what is missing is left to report, and the counts still say it', async () => {
  const { made, sealed, sealedPath, openPath, manifestPath, stagedPath } = await makeData()
  await using _ = made
  await flip(stagedPath, STAGED_BYTES - 1)
  await flip(sealedPath, SECOND_CHUNK_AT + CHUNK_HEADER_BYTES)
  await flip(openPath, HEADER_BYTES)
  await flip(manifestPath, 10)
  expect(await repair(made)).toEqual({
    batchCount: 1,
    failedCount: 0,
    quarantinedChunkCount: 1,
    quarantinedManifestCount: 1,
    quarantinedStagingCount: 1,
    quarantinedPositionsCount: 0,
  })
  expect(await checkData(made.directory, nodeFileSystem, made.logger)).toMatchObject({
    openBatchCount: 0,
    sealedBatchCount: 1,
    manifestCount: 0,
    stagedCount: 0,
    quarantinedCount: 3,
    findings: [{ kind: 'missing-records', path: sealedPath, recordCount: 1 }],
  })
  const store = await made.open()
  const { chunks, quarantinedCount } = await readChunks(store, only(await listed(store)))
  expect([chunks.length, quarantinedCount]).toEqual([1, 1])
  expect(only<SealedBatch>(await listed(store))).toEqual(sealed)
})

test('a directory in use is not repaired', async () => {
  const { made } = await makeData()
  await using _ = made
  const lock = DataLock.acquire(made.directory)
  await expect(repair(made)).rejects.toThrow('another Standpipe process is using it')
  lock.release()
})

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  await writeFile(path, bytes)
}

test('all that follows the last chunk of an open batch is its torn tail', async () => {
  const { made, openPath } = await makeData()
  await using _ = made
  await flip(openPath, HEADER_BYTES + CHUNK_HEADER_BYTES)
  await appendFile(openPath, Buffer.alloc(100, 'x'))
  const { findings } = await checkData(made.directory, nodeFileSystem, made.logger)
  expect(new Set(findings.map(({ kind }) => kind))).toEqual(new Set(['torn-tail']))
})

test("what is not ours among the batches is told of, and in nobody's way", async () => {
  const { made, sealed } = await makeData()
  await using _ = made
  const complaint = 'warn: A file among the batches is not one of ours.'
  await writeFile(join(made.paths.batches, 'notes'), '')
  await writeFile(join(made.paths.batches, '.DS_Store'), '')
  await writeFile(join(made.paths.stream(sealed.streamId), 'notes'), '')
  const { findings } = await checkData(made.directory, nodeFileSystem, made.logger)
  expect({ findings, complaints: made.complaints }).toEqual({
    findings: [],
    complaints: [complaint, complaint, complaint],
  })
  expect(await listed(await made.open())).toHaveLength(2)
})
