import { strict as assert } from 'node:assert'
import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { readStaged, stageTexts } from '../../test/contracts/batch-staging.ts'
import { chunk } from '../../test/contracts/batch-store.ts'
import { TemporaryStore } from '../../test/contracts/temporary-store.ts'
import type { SealedBatch } from '../batch.ts'
import type { AppendTarget } from '../batch-store.ts'
import { StagingDamaged } from '../staging.ts'
import { BatchFileContents } from './batch-contents.ts'
import { NO_KEYS } from './local-key-ring.ts'
import { StagedBytes } from './staged-bytes.ts'
import {
  BlockTable,
  decodeStagedHeader,
  decodeTrailer,
  encodeTrailer,
  STAGED_HEADER_BYTES,
  STAGED_TRAILER_BYTES,
  stagedSeed,
  TABLE_ENTRY_BYTES,
} from './staged-file.ts'

const BLOCKS = ['first block', 'second'] as const
const INDEX = 'the index'

async function makeBatch(facts: (made: TemporaryStore) => Partial<AppendTarget> = () => ({})) {
  const made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target({ sizeBytesMax: 1, ...facts(made) })
  await store.append(target, chunk('a'))
  await store.sealAll('drain')
  const batch = made.sealed[0] as SealedBatch
  const filesOf = async () => (await readdir(made.paths.stream(batch.streamId))).toSorted()
  return { made, store, batch, path: made.paths.file(batch, 'staged'), filesOf }
}

const encrypted = (made: TemporaryStore) => ({ dataKey: made.keyRing.makeDataKey() })

async function flip(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, at)
  byte[0] = (byte[0] ?? 0) ^ 1
  await file.write(byte, 0, 1, at)
  await file.close()
}

const FIRST_BLOCK_AT = STAGED_HEADER_BYTES
const INDEX_AT = FIRST_BLOCK_AT + BLOCKS.join('').length
const TABLE_AT = INDEX_AT + INDEX.length
const TRAILER_AT = TABLE_AT + BLOCKS.length * TABLE_ENTRY_BYTES

test('a byte that is wrong anywhere in the file is noticed before it is used', async () => {
  const { made, store, batch, path } = await makeBatch()
  await using _ = made
  await stageTexts(store, batch, INDEX, ...BLOCKS)
  const { size } = await stat(path)
  expect(size).toBe(TRAILER_AT + STAGED_TRAILER_BYTES)
  const unnoticed: number[] = []
  for (let at = 0; at < size; at += 1) {
    await flip(path, at)
    const error = await readStaged(store, batch, [0, 1]).catch((reason: unknown) => reason)
    if (!(error instanceof StagingDamaged)) unnoticed.push(at)
    await flip(path, at)
  }
  expect(unnoticed).toEqual([])
})

test('damage is told by its place, and other blocks can still be read', async () => {
  const { made, store, batch, path } = await makeBatch()
  await using _ = made
  await stageTexts(store, batch, INDEX, ...BLOCKS)
  const places = [
    [0, 'its header'],
    [FIRST_BLOCK_AT, 'block 0'],
    [INDEX_AT, 'its index'],
    [TABLE_AT, 'its block table'],
    [TRAILER_AT, 'its trailer'],
  ] as const
  for (const [at, place] of places) {
    await flip(path, at)
    await expect(readStaged(store, batch, [1, 0])).rejects.toThrow(
      `Cannot read what is staged of batch ${batch.batchId}: damage in ${place}`,
    )
    await flip(path, at)
  }
  await flip(path, FIRST_BLOCK_AT)
  expect(await readStaged(store, batch, [1])).toMatchObject({ blocks: ['second'] })
})

test('a file that was cut, grown or swapped for another is damaged', async () => {
  const { made, store, batch, path } = await makeBatch()
  await using _ = made
  await stageTexts(store, batch, INDEX, ...BLOCKS)
  const whole = await readFile(path)
  for (const sizeBytes of [0, 10, STAGED_HEADER_BYTES, STAGED_HEADER_BYTES + 10, TRAILER_AT]) {
    await writeFile(path, whole.subarray(0, sizeBytes))
    await expect(store.staged(batch)).rejects.toThrow(StagingDamaged)
  }
  await writeFile(path, Buffer.concat([whole, Buffer.from('x')]))
  await expect(store.staged(batch)).rejects.toThrow(StagingDamaged)
  const end = whole.subarray(TRAILER_AT)
  await writeFile(path, Buffer.concat([whole.subarray(0, TRAILER_AT), Buffer.alloc(8), end]))
  await expect(store.staged(batch)).rejects.toThrow('damage in its size')
  await store.append(made.target({ sizeBytesMax: 1 }), chunk('b'))
  await store.sealAll('drain')
  const other = made.sealed[1] as SealedBatch
  await writeFile(made.paths.file(other, 'staged'), whole)
  await expect(store.staged(other)).rejects.toThrow('damage in its header')
})

test('a block that an earlier staging of the same batch left does not pass for the new one', async () => {
  const { made, store, batch, path } = await makeBatch()
  await using _ = made
  await stageTexts(store, batch, INDEX, ...BLOCKS)
  const earlier = await readFile(path)
  await stageTexts(store, batch, INDEX, ...BLOCKS)
  const later = await readFile(path)
  const tail = earlier.subarray(STAGED_HEADER_BYTES)
  await writeFile(path, Buffer.concat([later.subarray(0, STAGED_HEADER_BYTES), tail]))
  await expect(store.staged(batch)).rejects.toThrow('damage in its trailer')
})

test('of an encrypted batch neither blocks nor index are there in plain', async () => {
  const { made, store, batch, path } = await makeBatch(encrypted)
  await using _ = made
  await stageTexts(store, batch, INDEX, ...BLOCKS)
  const bytes = (await readFile(path)).toString('latin1')
  for (const text of [INDEX, ...BLOCKS]) expect(bytes).not.toContain(text)
  expect(await readStaged(store, batch, [1, 0])).toEqual({
    index: INDEX,
    blocks: BLOCKS.toReversed(),
  })
})

test('no two stagings of an encrypted batch have a byte of cipher text in common by their key', async () => {
  const { made, store, batch, path } = await makeBatch(encrypted)
  await using _ = made
  const zeros = '\0'.repeat(64)
  const streams: string[] = []
  for (let count = 0; count < 2; count += 1) {
    await stageTexts(store, batch, INDEX, zeros, zeros)
    const bytes = await readFile(path)
    for (const block of [0, 1]) {
      const at = STAGED_HEADER_BYTES + block * (12 + 64 + 16) + 12
      // Of zeros the cipher text is the key stream.
      streams.push(bytes.toString('hex', at, at + 64))
    }
  }
  expect(new Set(streams).size).toBe(4)
})

test('an encrypted block opens in its own place only', async () => {
  const { made, store, batch, path } = await makeBatch(encrypted)
  await using _ = made
  await stageTexts(store, batch, INDEX, 'block', 'other')
  await writeFile(path, withSwappedBlocks(await readFile(path), batch))
  await expect(readStaged(store, batch, [0])).rejects.toThrow('block 0, which does not decrypt')
})

/** The two blocks of the file exchanged, by somebody who can make checksums. */
function withSwappedBlocks(bytes: Buffer, { batchId }: SealedBatch): Buffer {
  const header = decodeStagedHeader(bytes.subarray(0, STAGED_HEADER_BYTES), batchId)
  assert(header !== undefined)
  const seed = stagedSeed(batchId, Buffer.from(header.salt, 'hex'))
  const trailerAt = bytes.byteLength - STAGED_TRAILER_BYTES
  const tableAt = trailerAt - 2 * TABLE_ENTRY_BYTES
  const trailer = decodeTrailer(bytes.subarray(trailerAt), seed)
  assert(trailer !== undefined)
  const table = new BlockTable(bytes.subarray(tableAt, trailerAt))
  const swapped = new BlockTable()
  for (const block of [1, 0]) swapped.add(table.get(block))
  const tableChecksum = crc32(swapped.bytes, seed)
  return Buffer.concat([
    bytes.subarray(0, tableAt),
    swapped.bytes,
    encodeTrailer({ ...trailer, tableChecksum }, seed),
  ])
}

test('what is staged encrypted needs its key, and is not damaged without', async () => {
  const { made, store, batch, filesOf } = await makeBatch(encrypted)
  await using _ = made
  await stageTexts(store, batch, INDEX, ...BLOCKS)
  const { directory: dataDirectory, fileSystem, clock, logger, stagedBytes } = made
  const keyless = new BatchFileContents({
    dataDirectory,
    fileSystem,
    keyRing: NO_KEYS,
    clock,
    logger,
    stagedBytes,
  })
  await expect(keyless.staged(batch)).rejects.toMatchObject({ name: 'KeyUnavailable' })
  await expect(keyless.stage(batch)).rejects.toMatchObject({ name: 'KeyUnavailable' })
  expect(await filesOf()).toEqual([`${batch.batchId}.batch`, `${batch.batchId}.staged`])
})

test('what was staged encrypted is read back though the header of the batch file is damaged', async () => {
  const { made, store, batch } = await makeBatch(encrypted)
  await using _ = made
  await stageTexts(store, batch, INDEX, ...BLOCKS)
  await flip(made.paths.file(batch, 'batch'), 3)
  expect(await readStaged(store, batch, [0])).toEqual({ index: INDEX, blocks: ['first block'] })
})

test('small blocks are gathered into few writes', async () => {
  const { made, store, batch } = await makeBatch()
  await using _ = made
  const blocks = Array.from({ length: 10_000 }, () => 'x'.repeat(100))
  await stageTexts(store, batch, INDEX, ...blocks)
  // 1 MB of blocks and 160 kB of table, in half a MiB each.
  expect(made.fileSystem.count('write', '.staging')).toBe(3)
})

test('what is staged is published only when it is durable, and is durable then', async () => {
  const { made, store, batch, path } = await makeBatch()
  await using _ = made
  made.fileSystem.calls.length = 0
  await stageTexts(store, batch, INDEX, ...BLOCKS)
  const stagingPath = made.paths.file(batch, 'staging')
  const changes = () => made.fileSystem.calls.filter(({ operation }) => operation !== 'open')
  expect(changes()).toEqual([
    { operation: 'write', path: stagingPath },
    { operation: 'datasync', path: stagingPath },
    { operation: 'rename', path: stagingPath },
    { operation: 'syncDirectory', path: made.paths.stream(batch.streamId) },
  ])
  made.fileSystem.calls.length = 0
  await store.unstage(batch)
  expect(changes()).toEqual([
    { operation: 'unlink', path },
    { operation: 'syncDirectory', path: made.paths.stream(batch.streamId) },
  ])
})

test.for([
  ['write', 'ENOSPC'],
  ['datasync', 'EIO'],
  ['rename', 'EIO'],
  ['syncDirectory', 'EIO'],
] as const)(
  'a %s that fails with %s fails the staging and leaves nothing',
  async ([operation, code]) => {
    const { made, store, batch, filesOf } = await makeBatch()
    await using _ = made
    const before = await filesOf()
    const openBefore = await openFileCount()
    const writer = await store.stage(batch)
    await writer.write(Buffer.from('a'))
    made.fileSystem.fault = (call) => (call.operation === operation ? code : undefined)
    await expect(writer.finish(Buffer.from(INDEX))).rejects.toMatchObject({ code })
    made.fileSystem.fault = () => undefined
    expect([await filesOf(), await openFileCount()]).toEqual([before, openBefore])
    await writer.abandon()
    await stageTexts(store, batch, INDEX, ...BLOCKS)
    expect(await readStaged(store, batch, [0])).toEqual({ index: INDEX, blocks: ['first block'] })
  },
)

test('a block that finds the disk full fails the staging, and what was there before stays', async () => {
  const { made, store, batch, filesOf } = await makeBatch()
  await using _ = made
  await stageTexts(store, batch, 'before', 'a')
  const before = await filesOf()
  const writer = await store.stage(batch)
  await writer.write(Buffer.from('gathered'))
  made.fileSystem.fault = ({ operation }) => (operation === 'write' ? 'ENOSPC' : undefined)
  const failed = writer.write(Buffer.alloc(1024 * 1024))
  await expect(failed).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(await filesOf()).toEqual(before)
  expect(await readStaged(store, batch, [0])).toEqual({ index: 'before', blocks: ['a'] })
})

test("what could not be tidied up is in nobody's way, and goes at the next start", async () => {
  const { made, store, batch, filesOf } = await makeBatch()
  await using _ = made
  const writer = await store.stage(batch)
  made.fileSystem.fault = ({ operation }) =>
    operation === 'write' || operation === 'unlink' ? 'EIO' : undefined
  await expect(writer.finish(Buffer.from(INDEX))).rejects.toMatchObject({ code: 'EIO' })
  made.fileSystem.fault = () => undefined
  expect(await filesOf()).toEqual([`${batch.batchId}.batch`, `${batch.batchId}.staging`])
  await made.open()
  expect(await filesOf()).toEqual([`${batch.batchId}.batch`])
})

test('staging ends while there is still room for manifests', async () => {
  const { made, batch, filesOf } = await makeBatch()
  await using _ = made
  const { directory: dataDirectory, fileSystem, keyRing, clock, logger, stagedBytes } = made
  const contents = new BatchFileContents({
    dataDirectory,
    fileSystem,
    keyRing,
    clock,
    logger,
    stagedBytes,
    stagingFreeBytesMin: 10_000,
  })
  fileSystem.freeBytesLeft = 11_200
  await stageTexts(contents, batch, INDEX, ...BLOCKS)
  fileSystem.freeBytesLeft = 11_000
  const refused = stageTexts(contents, batch, INDEX, ...BLOCKS)
  await expect(refused).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(await filesOf()).toEqual([`${batch.batchId}.batch`, `${batch.batchId}.staged`])
})

test('a writer is given up while it writes, and leaves nothing', async () => {
  const { made, store, batch, filesOf } = await makeBatch()
  await using _ = made
  const before = await filesOf()
  const writer = await store.stage(batch)
  const writing = writer.write(Buffer.alloc(1024 * 1024))
  await writer.abandon()
  expect(await writing).toBe(0)
  expect(await filesOf()).toEqual(before)
  await expect(writer.write(Buffer.from('a'))).rejects.toThrow('until it has ended')
})

test('a writer that is given up while it finishes has finished', async () => {
  const { made, store, batch } = await makeBatch()
  await using _ = made
  const writer = await store.stage(batch)
  const finishing = writer.finish(Buffer.from(INDEX))
  await writer.abandon()
  await finishing
  expect(await readStaged(store, batch, [])).toMatchObject({ index: INDEX })
})

test('each thread counts what is staged, and takes off what it removes', async () => {
  const { made, store, batch, path } = await makeBatch()
  await using _ = made
  await stageTexts(store, batch, INDEX, ...BLOCKS)
  const { size } = await stat(path)
  const sameMemory = new StagedBytes(made.stagedBytes.memory)
  expect([made.stagedBytes.total, sameMemory.total]).toEqual([size, size])
  sameMemory.add(-size)
  expect(made.stagedBytes.total).toBe(0)
  // A file that nobody has counted.
  await store.remove(batch)
  expect(made.stagedBytes.total).toBe(0)
})

test.for(['rename', 'syncDirectory'])(
  'what a %s that fails leaves is not counted',
  async (failing) => {
    const { made, store, batch } = await makeBatch()
    await using _ = made
    await stageTexts(store, batch, INDEX, ...BLOCKS)
    made.fileSystem.fault = ({ operation }) => (operation === failing ? 'EIO' : undefined)
    await expect(stageTexts(store, batch, INDEX, 'more')).rejects.toMatchObject({ code: 'EIO' })
    made.fileSystem.fault = () => undefined
    const countedBytes = made.stagedBytes.total
    await made.open()
    expect(made.stagedBytes.total).toBe(countedBytes)
  },
)

test('what is unfinished, or without its batch, is removed at start-up; the rest stays', async () => {
  const { made, store, batch, filesOf } = await makeBatch()
  await using _ = made
  await stageTexts(store, batch, INDEX, ...BLOCKS)
  const orphan = { ...batch, batchId: '01KAJ2Z5W00000000000000000' }
  await writeFile(made.paths.file(orphan, 'staged'), '')
  await writeFile(made.paths.file(batch, 'staging'), '')
  const restarted = await made.open()
  expect(await filesOf()).toEqual([`${batch.batchId}.batch`, `${batch.batchId}.staged`])
  expect(await readStaged(restarted, batch, [0])).toMatchObject({ index: INDEX })
})

test('a staging whose file is taken away, as its stream is discarded, fails', async () => {
  const { made, store, batch } = await makeBatch()
  await using _ = made
  const writer = await store.stage(batch)
  await store.discard(batch.streamId)
  await expect(writer.finish(Buffer.from(INDEX))).rejects.toMatchObject({ code: 'ENOENT' })
  await writer.abandon()
})

async function openFileCount(): Promise<number> {
  return (await readdir('/proc/self/fd')).length
}
