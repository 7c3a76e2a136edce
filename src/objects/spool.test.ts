import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BufferPool } from '../base/buffer-pool.ts'
import { systemClock } from '../base/clock.ts'
import type { Spool } from '../destination.ts'
import { openSpool, sweepSpools } from './spool.ts'

const MEMORY_BYTES_MAX = 1_000
const SECRET = 'a secret of the stream. '

let parent: string
let directory: string

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'spool-'))
  directory = join(parent, 'not', 'yet', 'there')
})
afterEach(async () => {
  await rm(parent, { recursive: true })
})

test.each([false, true])(
  'any writes are read back in any ranges (encrypted: %s)',
  async (encrypt) => {
    const writes = fc.array(fc.uint8Array({ maxLength: 1_500, size: 'max' }), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(writes, fc.nat(), fc.nat(), async (writes, from, to) => {
        const input = Buffer.concat(writes)
        const [start = 0, end = 0] = [from, to]
          .map((position) => position % (input.byteLength + 1))
          .toSorted((a, b) => a - b)
        const content = await writeAll(openTestSpool(encrypt), writes)
        expect(content.sizeBytes).toBe(input.byteLength)
        expect(content.sha256).toBe(createHash('sha256').update(input).digest('hex'))
        expect(await content.read(0, input.byteLength)).toEqual(input)
        expect(await content.read(start, end)).toEqual(input.subarray(start, end))
        await content.dispose()
      }),
    )
    expect(await readdir(directory)).toEqual([])
  },
)

test('content up to the limit touches no disk', async () => {
  const content = await writeAll(openTestSpool(false), [Buffer.alloc(MEMORY_BYTES_MAX)])
  await expect(stat(directory)).rejects.toThrow('ENOENT')
  await content.dispose()
})

test('content beyond the limit goes to one file, which disposal removes, once or twice', async () => {
  const content = await writeAll(openTestSpool(false), [Buffer.from(SECRET.repeat(100))])
  expect(await storedBytes()).toEqual(Buffer.from(SECRET.repeat(100)))
  await content.dispose()
  await content.dispose()
  expect(await readdir(directory)).toEqual([])
})

test('encrypted content is not on the disk in plain, and no two files are alike', async () => {
  const contents = [
    await writeAll(openTestSpool(true), [Buffer.from(SECRET.repeat(100))]),
    await writeAll(openTestSpool(true), [Buffer.from(SECRET.repeat(100))]),
  ]
  const [one, two] = await Promise.all(
    (await readdir(directory)).map((name) => readFile(join(directory, name))),
  )
  expect(one?.byteLength).toBe(SECRET.length * 100)
  expect(one?.includes('secret')).toBe(false)
  expect(one?.equals(two ?? Buffer.alloc(0))).toBe(false)
  await Promise.all(contents.map((content) => content.dispose()))
})

test('what is written may be reused by the writer', async () => {
  const bytes = Buffer.from('first')
  const spool = openTestSpool(false)
  await spool.write(bytes)
  bytes.fill('x')
  const content = await spool.finish()
  expect((await content.read(0, 5)).toString()).toBe('first')
  await content.dispose()
})

test('a spool given up before it is finished leaves nothing', async () => {
  const spool = openTestSpool(false)
  await spool.write(Buffer.alloc(MEMORY_BYTES_MAX * 2))
  expect(await readdir(directory)).toHaveLength(1)
  await spool.dispose()
  expect(await readdir(directory)).toEqual([])
})

test('giving up a finished spool leaves its content alone', async () => {
  const spool = openTestSpool(false)
  const content = await writeAll(spool, [Buffer.alloc(MEMORY_BYTES_MAX * 2, 'a')])
  await spool.dispose()
  expect(await content.read(0, 3)).toEqual(Buffer.from('aaa'))
  await content.dispose()
})

test('sweeping removes left-over spools and nothing else', async () => {
  await sweepSpools(directory)
  const abandoned = openTestSpool(false)
  await abandoned.write(Buffer.alloc(MEMORY_BYTES_MAX * 2))
  await writeFile(join(directory, 'notes.txt'), 'mine')
  await sweepSpools(directory)
  expect(await readdir(directory)).toEqual(['notes.txt'])
  await abandoned.dispose()
})

function openTestSpool(encrypt: boolean) {
  return openSpool({
    directory,
    clock: systemClock,
    buffers: new BufferPool(),
    encrypt,
    memoryBytesMax: MEMORY_BYTES_MAX,
  })
}

async function writeAll(spool: Spool, writes: readonly Uint8Array[]) {
  for (const bytes of writes) await spool.write(bytes)
  return await spool.finish()
}

async function storedBytes(): Promise<Buffer> {
  const [name = ''] = await readdir(directory)
  return await readFile(join(directory, name))
}
