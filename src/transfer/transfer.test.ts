import { copyFile, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import {
  contentsOf,
  deliver,
  fill,
  makeStream,
  readOn,
  seal,
  targetOf,
} from '../../test/transfer/filled-place.ts'
import { Places } from '../../test/transfer/places.ts'
import type { OpenPlace } from '../../test/transfer/places.ts'
import { override } from '../../test/simulation/planted-bug.ts'
import { SeededRandom, testSeed } from '../../test/fakes/seeded-random.ts'
import { exportAll } from './export.ts'
import { importAll } from './import.ts'
import type { Part, PartKind, TransferCounts } from './transfer-file.ts'
import type { TransferPlace } from './transfer-place.ts'
import { TransferReader } from './transfer-reader.ts'

const quietly = (): void => {}
const EMPTY = { catalog: [], batches: [] }
const KINDS: readonly PartKind[] = [
  'stream',
  'receipts',
  'replays',
  'positions',
  'batch',
  'chunk',
  'block',
  'index',
  'manifest',
  'end',
]

test('everything moves from one data directory to another', async () => {
  await using places = await Places.make()
  const source = await places.embedded('source')
  await fill(source)
  const report = await exportAll(source, places.file('all'), quietly)
  const { mode, size } = await stat(places.file('all'))
  expect({ ...report, mode: mode & 0o777 }).toEqual({
    streamCount: 3,
    receiptCount: 120,
    replayCount: 2,
    positionCount: 3,
    batchCount: 5,
    recordCount: 15,
    dataBytes: expect.any(Number),
    sizeBytes: size,
    missingCount: 0,
    strayCount: 0,
    mode: 0o600,
  })

  const target = await places.embedded('target')
  const { sizeBytes: _size, missingCount: _missing, strayCount: _stray, ...counts } = report
  expect(await importAll(target, places.file('all'), quietly)).toEqual({
    imported: counts,
    knownStreamCount: 0,
    knownBatchCount: 0,
  })
  expect(await contentsOf(target)).toEqual(await contentsOf(source))
  // Other data than the source's: sealed under the key, and not as it was in the file.
  expect(await filesWith(places.file('target'), 'secret 1')).toEqual([])
  expect(await filesWith(places.file('target'), 'frozen 1')).toHaveLength(1)
})

test('a file that is imported twice doubles nothing, also when batches were delivered meanwhile', async () => {
  await using places = await Places.make()
  const source = await places.embedded('source')
  const { batches } = await fill(source)
  await exportAll(source, places.file('all'), quietly)
  const target = await places.embedded('target')
  await importAll(target, places.file('all'), quietly)
  for (const { batchId } of batches.slice(0, 2)) {
    for await (const batch of target.store.list()) {
      if (batch.batchId === batchId) await deliver(target, batch)
    }
  }
  const before = await contentsOf(target)
  expect(await importAll(target, places.file('all'), quietly)).toMatchObject({
    imported: { streamCount: 0, batchCount: 0, receiptCount: 0, replayCount: 0 },
    knownStreamCount: 3,
    knownBatchCount: 5,
  })
  expect(await contentsOf(target)).toEqual(before)
})

test('what was delivered and is forgotten is not made again: the import says so', async () => {
  await using places = await Places.make()
  const source = await places.embedded('source')
  const { plain, batches } = await fill(source)
  await exportAll(source, places.file('all'), quietly)
  await deliver(source, batches[0])
  await source.catalog.pruneReceipts(Infinity)
  const before = await contentsOf(source)
  await expect(importAll(source, places.file('all'), quietly)).rejects.toThrow(
    `Cannot import stream ${plain.name}: it is there already, and of batch ${batches[0].batchId}`,
  )
  expect(await contentsOf(source)).toEqual(before)
})

test('an import that ends after any of its steps is taken up by the next', async () => {
  await using places = await Places.make()
  const source = await places.embedded('source')
  await fill(source)
  await exportAll(source, places.file('all'), quietly)
  const wanted = await contentsOf(source)
  let stepCount = 0
  for (let isWhole = false; !isWhole; stepCount += 1) {
    const target = await places.embedded(`target ${stepCount}`)
    isWhole = await importAll(dyingAfter(stepCount, target), places.file('all'), quietly).then(
      () => true,
      (error: Error) => {
        expect(error.message).toBe('The process is dead')
        return false
      },
    )
    await importAll(target, places.file('all'), quietly)
    expect(await contentsOf(target), `after step ${stepCount}`).toEqual(wanted)
    await target.close()
  }
  expect(stepCount).toBeGreaterThan(20)
})

test('an import that ended half-way is taken up with a later file', async () => {
  await using places = await Places.make()
  const source = await places.embedded('source')
  const filled = await fill(source)
  const { plain } = filled
  const [pending, frozen, staged] = filled.batches
  await exportAll(source, places.file('early'), quietly)
  const target = await places.embedded('target')
  await expect(importAll(target, places.file('early'), afterBatches(3))).rejects.toThrow('dead')
  // Nobody delivers what is there.
  expect(await target.catalog.streams()).toEqual([])

  // The source goes on meanwhile, and thinks differently of the batches.
  await source.store.thaw(frozen)
  await source.store.unstage(staged)
  await (await source.store.stage(pending)).finish(Buffer.from('later'))
  const { streamId } = plain
  const part = { streamId, source: 'bucket/c', batchId: `1${pending.batchId.slice(1)}` }
  await source.catalog.recordReplay({ ...part, range: { from: 0, to: 1 }, records: '0' }, 0)
  await readOn(source, filled)
  await exportAll(source, places.file('late'), quietly)
  await importAll(target, places.file('late'), quietly)
  expect(await contentsOf(target)).toEqual(await contentsOf(source))
})

test('a batch that an older file has left stands in the way: it may be delivered by now', async () => {
  await using places = await Places.make()
  const source = await places.embedded('source')
  const { batches } = await fill(source)
  await exportAll(source, places.file('early'), quietly)
  const target = await places.embedded('target')
  await expect(importAll(target, places.file('early'), afterBatches(3))).rejects.toThrow('dead')
  await deliver(source, batches[0])
  await exportAll(source, places.file('late'), quietly)
  await expect(importAll(target, places.file('late'), quietly)).rejects.toThrow(
    `Cannot import stream plain: batch ${batches[0].batchId} of it is there that is not in the file`,
  )
})

test('a file that is cut short or damaged anywhere changes nothing', async () => {
  await using places = await Places.make()
  const source = await places.embedded('source')
  await fill(source)
  const { sizeBytes } = await exportAll(source, places.file('all'), quietly)
  const target = await places.embedded('target')
  const seed = testSeed()
  const random = new SeededRandom(seed)
  const damaged = places.file('damaged')
  const problems: string[] = []
  const attempt = async (what: string): Promise<void> => {
    const message = await importAll(target, damaged, quietly).then(
      () => 'it was imported',
      (error: Error) => error.name,
    )
    if (message !== 'TransferDamaged') problems.push(`${what}: ${message}`)
  }
  const lengths = [0, 5, 21, 22, sizeBytes - 1]
  for (const length of [...lengths, ...times(20, () => random.integer(0, sizeBytes - 1))]) {
    await copyFile(places.file('all'), damaged)
    await truncate(damaged, length)
    await attempt(`cut to ${length} bytes`)
  }
  const whole = await readFile(places.file('all'))
  for (const at of [0, 19, ...times(40, () => random.integer(0, sizeBytes - 1))]) {
    const bytes = Buffer.from(whole)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(0, 7))
    await writeFile(damaged, bytes)
    // Some bits mean nothing to zstd, such as how large a window to take: then nothing is damaged.
    if (await isTheSame(damaged, places.file('all'))) continue
    await attempt(`byte ${at} of ${sizeBytes} changed`)
  }
  await writeFile(damaged, Buffer.concat([whole, Buffer.from('more')]))
  await attempt('with more at its end')
  expect(problems, `seed ${seed}`).toEqual([])
  expect(await contentsOf(target)).toEqual(EMPTY)
})

/** Whether both files can be read, and hold the same. */
async function isTheSame(one: string, other: string): Promise<boolean> {
  const [first, second] = await Promise.all(
    [one, other].map((path) => partsIn(path).catch(() => undefined)),
  )
  return first !== undefined && isDeepStrictEqual(first, second)
}

async function partsIn(path: string): Promise<Part[]> {
  await using reader = new TransferReader(path)
  const parts: Part[] = []
  for await (const part of reader.all(...KINDS)) {
    parts.push('payload' in part ? { ...part, payload: Buffer.from(part.payload) } : part)
  }
  return parts
}

test('a stream of the same name and another id stands in the way, and is named', async () => {
  await using places = await Places.make()
  const source = await places.embedded('source')
  await fill(source)
  await exportAll(source, places.file('all'), quietly)
  const target = await places.embedded('target')
  await target.catalog.createStream(makeStream('paused'))
  const before = await contentsOf(target)
  await expect(importAll(target, places.file('all'), quietly)).rejects.toThrow(
    'Cannot import stream paused: another stream of that name is there',
  )
  expect(await contentsOf(target)).toEqual(before)
})

test('without the key of a stream that is encrypted nothing is imported', async () => {
  await using places = await Places.make()
  const source = await places.embedded('source')
  await fill(source)
  await exportAll(source, places.file('all'), quietly)
  const target = await places.embedded('target', {
    STANDPIPE_SSE_KEY: Buffer.alloc(32, 8).toString('base64'),
  })
  await expect(importAll(target, places.file('all'), quietly)).rejects.toThrow(
    /^Cannot unwrap the data key: wrapping key \w+ is not in the key ring$/,
  )
  expect(await contentsOf(target)).toEqual(EMPTY)
})

test('a batch with a damaged record is not exported: all such are named', async () => {
  await using places = await Places.make()
  const source = await places.embedded('source')
  const { batches } = await fill(source)
  const [pending, frozen] = batches
  for (const text of ['frozen 1', 'ddddd']) {
    const [path = ''] = await filesWith(places.file('source'), text)
    const bytes = await readFile(path)
    bytes.write('?', bytes.indexOf(text))
    await writeFile(path, bytes)
  }
  await expect(exportAll(source, places.file('all'), quietly)).rejects.toThrow(
    "Cannot export before batches are delivered that can't be moved as they are: " +
      `${pending.batchId} of plain (damaged records: 1), ` +
      `${frozen.batchId} of plain (damaged records: 2)`,
  )
  expect(await readdir(places.directory)).toEqual(['source'])
})

test('a batch with gaps between its records is not exported', async () => {
  await using places = await Places.make()
  const source = await places.embedded('source')
  const { batches } = await fill(source)
  const store = override(source.store, {
    async *list() {
      yield { ...batches[0], ordinalEnd: 9 }
    },
  })
  await expect(exportAll({ ...source, store }, places.file('all'), quietly)).rejects.toThrow(
    `${batches[0].batchId} of plain (a crash has left gaps in it)`,
  )
})

test('what is missing, and batches of no stream, are told of', async () => {
  await using places = await Places.make()
  const source = await places.embedded('source')
  const stream = makeStream('logs')
  await source.catalog.createStream(stream)
  const lost = await seal(source, targetOf(stream), [['lost', 'too']])
  await seal(source, targetOf(stream), [['kept']])
  await source.store.remove(lost)
  await seal(source, targetOf(makeStream('unknown')), [['stray']])
  expect(await exportAll(source, places.file('all'), quietly)).toMatchObject({
    streamCount: 1,
    batchCount: 1,
    recordCount: 1,
    missingCount: 2,
    strayCount: 1,
  })
  const target = await places.embedded('target')
  await importAll(target, places.file('all'), quietly)
  expect(await target.catalog.books(stream.streamId)).toMatchObject({ accepted: 1 })
})

test('a file that exists is not written over', async () => {
  await using places = await Places.make()
  const source = await places.embedded('source')
  await writeFile(places.file('all'), 'mine')
  await expect(exportAll(source, places.file('all'), quietly)).rejects.toThrow('the file exists')
  expect(String(await readFile(places.file('all')))).toBe('mine')
})

test('a data directory that is in use is refused', async () => {
  await using places = await Places.make()
  await places.embedded('source')
  await expect(places.embedded('source')).rejects.toThrow('another Standpipe process is using it')
})

/** A place whose process dies once so many things are written there. */
function dyingAfter(stepCount: number, place: OpenPlace): TransferPlace {
  let leftCount = stepCount
  const watched = <Kind extends object>(real: Kind): Kind =>
    new Proxy(real, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        if (!WRITES.has(String(name))) return value.bind(target)
        return async (...given: unknown[]) => {
          const answer: unknown = await value.apply(target, given)
          if (leftCount === 0) throw new Error('The process is dead')
          leftCount -= 1
          return answer
        }
      },
    })
  const { store, catalog, catalogTransfer } = place
  return {
    ...place,
    pause: (streamId) => watched(place).pause(streamId),
    store: watched(store),
    catalog: watched(catalog),
    catalogTransfer: watched(catalogTransfer),
  }
}

const WRITES: ReadonlySet<string> = new Set([
  'importBatch',
  'unstage',
  'freeze',
  'thaw',
  'pause',
  'recordSealed',
  'createStream',
  'restoreBooks',
  'restoreReceipts',
  'restoreReplays',
  'restorePositions',
])

/** The process dies once so many batches are imported. */
function afterBatches(count: number): (counts: TransferCounts) => void {
  return ({ batchCount }) => {
    if (batchCount === count) throw new Error('The process is dead')
  }
}

function times<Value>(count: number, make: () => Value): Value[] {
  return Array.from({ length: count }, make)
}

/** Files under a directory that hold a text. */
async function filesWith(directory: string, text: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const paths = files.map(({ parentPath, name }) => join(parentPath, name))
  const found = await Promise.all(paths.map(async (path) => (await readFile(path)).includes(text)))
  return paths.filter((_path, index) => found[index])
}
