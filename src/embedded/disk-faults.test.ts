import { readdir } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { chunk, listed, only, readTexts } from '../../test/contracts/batch-store.ts'
import { TemporaryStore } from '../../test/contracts/temporary-store.ts'

test('appends that wait at the same time share one write and one sync', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  await store.append(target, chunk('first'))
  const [writes, syncs] = [made.fileSystem.count('write'), made.fileSystem.count('datasync')]
  const appends = Array.from({ length: 100 }, (_, index) => store.append(target, chunk(`${index}`)))
  await Promise.all(appends)
  expect(made.fileSystem.count('write') - writes).toBe(1)
  expect(made.fileSystem.count('datasync') - syncs).toBe(1)
})

test('an append resolves only after its file and each new directory above it are synced', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  made.fileSystem.calls.length = 0
  await store.append(target, chunk('a'))
  const streamDirectory = made.paths.stream(target.streamId)
  const { batchId } = only(await store.openBatches(target.streamId))
  const path = made.paths.file({ ...target, batchId }, 'open')
  expect(made.fileSystem.calls.filter(({ operation }) => operation !== 'freeBytes')).toEqual([
    { operation: 'makeDirectory', path: streamDirectory },
    { operation: 'syncDirectory', path: made.paths.batches },
    { operation: 'open', path },
    { operation: 'write', path },
    { operation: 'datasync', path },
    { operation: 'syncDirectory', path: streamDirectory },
  ])
})

test('a seal is announced only after the new name is synced', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  await store.append(target, chunk('a'))
  const announced: number[] = []
  made.fileSystem.fault = ({ operation }) => {
    if (operation === 'syncDirectory') announced.push(made.sealed.length)
    return undefined
  }
  await store.seal(target.streamId, 'flush')
  expect([announced, made.sealed.length]).toEqual([[0], 1])
})

test('a full disk refuses appends, keeps what it has, and takes more when there is room', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  const { batchId } = await store.append(target, chunk('a'))
  made.fileSystem.fault = ({ operation }) => (operation === 'write' ? 'ENOSPC' : undefined)
  await expect(store.append(target, chunk('lost', 'too'))).rejects.toMatchObject({
    name: 'AppendError',
    reason: 'full',
  })
  made.fileSystem.fault = () => undefined
  expect(await store.append(target, chunk('b'))).toEqual({ batchId, firstOrdinal: 1 })
  await store.seal(target.streamId, 'flush')
  expect(await readTexts(store, only(made.sealed))).toEqual(['a', 'b'])
})

test('what a full disk refused does not come back after a crash', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  await store.append(target, chunk('a'))
  made.fileSystem.fault = ({ operation }) => (operation === 'write' ? 'ENOSPC' : undefined)
  const refused = [chunk('x'), chunk('y')].map((each) => store.append(target, each))
  expect((await Promise.allSettled(refused)).map(({ status }) => status)).toEqual([
    'rejected',
    'rejected',
  ])
  made.fileSystem.fault = () => undefined
  const restarted = await made.open()
  expect(await readTexts(restarted, only(await listed(restarted)))).toEqual(['a'])
})

test('a first append that finds the disk full leaves no batch behind', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  made.fileSystem.fault = ({ operation }) => (operation === 'write' ? 'ENOSPC' : undefined)
  await expect(store.append(target, chunk('a'))).rejects.toMatchObject({ reason: 'full' })
  expect(await readdir(made.paths.stream(target.streamId))).toEqual([])
  expect(store.usage()).toMatchObject({ batchCount: 0, storedBytes: 0 })
  expect(store.nextDueMs()).toBe(undefined)
})

test('no directory for a new stream on a full disk is a refusal, too', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  made.fileSystem.fault = ({ operation }) => (operation === 'makeDirectory' ? 'ENOSPC' : undefined)
  await expect(store.append(made.target(), chunk('a'))).rejects.toMatchObject({ reason: 'full' })
})

test('a failed sync fails its appends, is not repeated, and ends the batch', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  const first = await store.append(target, chunk('a'))
  let failures = 0
  made.fileSystem.fault = ({ operation }) => {
    if (operation !== 'datasync' || failures > 0) return undefined
    failures += 1
    return 'EIO'
  }
  const failed = [chunk('x'), chunk('y')].map((each) => store.append(target, each))
  for (const append of failed) await expect(append).rejects.toMatchObject({ reason: 'failed' })
  const next = await store.append(target, chunk('b'))
  expect(next.batchId).not.toBe(first.batchId)
  await store.seal(target.streamId, 'flush')
  expect(made.sealed.map(({ sealReason }) => sealReason)).toEqual(['fault', 'flush'])
  const texts = await Promise.all(made.sealed.map((batch) => readTexts(store, batch)))
  expect(texts).toEqual([['a'], ['b']])
})

test('a failed directory sync fails the first append, and the next opens another file', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  const streamDirectory = made.paths.stream(target.streamId)
  made.fileSystem.fault = ({ operation, path }) =>
    operation === 'syncDirectory' && path === streamDirectory ? 'EIO' : undefined
  await expect(store.append(target, chunk('x'))).rejects.toMatchObject({ reason: 'failed' })
  made.fileSystem.fault = () => undefined
  await store.append(target, chunk('a'))
  await store.sealAll('drain')
  expect(await readTexts(store, only(made.sealed))).toEqual(['a'])
})

test('a batch whose seal fails is sealed when the disk works again, and does not block its stream', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  await store.append(target, chunk('a'))
  made.fileSystem.fault = ({ operation }) => (operation === 'rename' ? 'EIO' : undefined)
  await store.seal(target.streamId, 'flush')
  await store.append(target, chunk('b'))
  expect(made.sealed).toEqual([])
  expect(made.complaints).toEqual(['warn: A batch could not be sealed; it is tried again.'])
  made.fileSystem.fault = () => undefined
  const dueMs = store.nextDueMs() ?? Infinity
  made.clock.advance(dueMs - made.clock.monotonicMs())
  await store.sealDue(made.clock.monotonicMs())
  expect(await readTexts(store, only(made.sealed))).toEqual(['a'])
  expect(only(made.sealed).sealReason).toBe('flush')
})

test('a batch that could not be recovered at start-up is recovered later, and announced', async () => {
  await using made = await TemporaryStore.make()
  const first = await made.open()
  await first.append(made.target(), chunk('a'))
  await first.close()
  made.fileSystem.fault = ({ operation }) => (operation === 'write' ? 'ENOSPC' : undefined)
  const store = await made.open()
  expect(await listed(store)).toEqual([])
  made.fileSystem.fault = () => undefined
  await store.sealDue(made.clock.monotonicMs())
  expect(only(made.sealed).sealReason).toBe('recovery')
  expect(await listed(store)).toEqual(made.sealed)
})

test('a recovery that failed after its rename is taken up from there', async () => {
  await using made = await TemporaryStore.make()
  const first = await made.open()
  const target = made.target()
  await first.append(target, chunk('a'))
  await first.close()
  const streamDirectory = made.paths.stream(target.streamId)
  made.fileSystem.fault = ({ operation, path }) =>
    operation === 'syncDirectory' && path === streamDirectory ? 'EIO' : undefined
  const store = await made.open()
  made.fileSystem.fault = () => undefined
  await store.sealDue(made.clock.monotonicMs())
  expect(made.sealed).toEqual(await listed(store))
  expect(made.complaints).toEqual([
    'error: A batch file could not be recovered; it is tried again.',
  ])
})

test('appends are refused while the file system has too little room, and taken again by itself', async () => {
  await using made = await TemporaryStore.make()
  made.fileSystem.freeBytesLeft = 1_100
  const store = await made.open({ freeBytesMin: 1_000 })
  const target = made.target()
  await expect(store.append(target, chunk('x'.repeat(200)))).rejects.toMatchObject({
    reason: 'full',
  })
  made.fileSystem.freeBytesLeft = 1_000
  made.clock.advance(1_000)
  await store.sealDue(made.clock.monotonicMs())
  expect(store.usage().accepting).toBe(false)
  made.fileSystem.freeBytesLeft = 10_000_000
  made.clock.advance(1_000)
  await store.append(target, chunk('x'.repeat(200)))
  expect(store.usage().accepting).toBe(true)
})

test('the file system is asked for its room once a second, however much is appended', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  for (let count = 0; count < 20; count += 1) await store.append(target, chunk('a'))
  expect(made.fileSystem.count('freeBytes')).toBe(1)
})

test('more batches than allowed are refused, until one is removed', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open({ batchesMax: 2 })
  const targets = [made.target(), made.target(), made.target()] as const
  await store.append(targets[0], chunk('a'))
  await store.append(targets[1], chunk('b'))
  await expect(store.append(targets[2], chunk('c'))).rejects.toMatchObject({ reason: 'full' })
  await store.append(targets[0], chunk('a'))
  await store.sealAll('drain')
  await store.remove(made.sealed[0] ?? only([]))
  await store.append(targets[2], chunk('c'))
})

test('a stream at rest holds no file', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  for (let count = 0; count < 20; count += 1) await store.append(made.target(), chunk('a'))
  const openBefore = await openFileCount()
  await store.sealAll('drain')
  expect(openBefore - (await openFileCount())).toBe(20)
})

async function openFileCount(): Promise<number> {
  return (await readdir('/proc/self/fd')).length
}

test('a batch whose seal fails is told of until it is announced', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  const { batchId } = await store.append(target, chunk('abc'))
  made.fileSystem.fault = ({ operation }) => (operation === 'rename' ? 'EIO' : undefined)
  await store.seal(target.streamId, 'flush')
  const firstArrivalMs = expect.any(Number) as number
  expect(await store.openBatches(target.streamId)).toEqual([
    { batchId, state: 'sealing', recordCount: 1, dataBytes: 3, firstArrivalMs },
  ])
  expect(await store.openBatches('another')).toEqual([])
  made.fileSystem.fault = () => undefined
  made.clock.advance(1_000)
  await store.sealDue(made.clock.monotonicMs())
  expect(await store.openBatches(target.streamId)).toEqual([])
  expect(made.sealed).toMatchObject([{ batchId }])
})

test('an import whose seal fails is sealed by the next call, without its chunks', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  const batchId = '01KAJ2Z5W00000000000000000'
  async function* chunks() {
    yield chunk('a')
  }
  made.fileSystem.fault = ({ operation }) => (operation === 'rename' ? 'EIO' : undefined)
  await expect(store.importBatch(target, batchId, chunks(), 'replay')).rejects.toMatchObject({
    name: 'AppendError',
    reason: 'failed',
  })
  expect(made.sealed).toEqual([])
  made.fileSystem.fault = () => undefined
  async function* none() {
    await Promise.resolve()
    yield* []
    throw new Error('The chunks were asked for')
  }
  await store.importBatch(target, batchId, none(), 'replay')
  expect(await readTexts(store, only(made.sealed))).toEqual(['a'])
})

test('an import is announced only when file and name are durable', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  const batchId = '01KAJ2Z5W00000000000000000'
  await store.append(target, chunk('makes the directory'))
  made.fileSystem.calls.length = 0
  async function* chunks() {
    yield chunk('a')
  }
  await store.importBatch(target, batchId, chunks(), 'replay')
  const operations = made.fileSystem.calls.map(({ operation }) => operation)
  expect(operations.slice(-4)).toEqual(['write', 'datasync', 'rename', 'syncDirectory'])
  expect(made.sealed).toHaveLength(1)
})

test('what a process that died left of an import is removed at start-up', async () => {
  await using made = await TemporaryStore.make()
  const store = await made.open()
  const target = made.target()
  const batchId = '01KAJ2Z5W00000000000000000'
  async function* dying() {
    yield chunk('a')
    made.fileSystem.fault = ({ operation }) => (operation === 'unlink' ? 'EIO' : undefined)
    throw new Error('The process is dead')
  }
  const importing = store.importBatch(target, batchId, dying(), 'replay')
  await expect(importing).rejects.toThrow('The process is dead')
  const path = made.paths.stream(target.streamId)
  expect(await readdir(path)).toEqual([`${batchId}.import`])
  made.fileSystem.fault = () => undefined
  const restarted = await made.open()
  expect([await readdir(path), await listed(restarted)]).toEqual([[], []])
})
