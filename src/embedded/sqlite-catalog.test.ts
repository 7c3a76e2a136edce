import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ManualClock } from '../../test/contracts/manual-clock.ts'
import { systemClock } from '../base/clock.ts'
import type { SealedBatch } from '../batch.ts'
import { CatalogConflict } from '../catalog.ts'
import { MIGRATIONS, migrate } from './catalog-schema.ts'
import { SqliteCatalog } from './sqlite-catalog.ts'

let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'standpipe-catalog-'))
  path = join(directory, 'catalog.db')
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const batchOf = (batchId: string): SealedBatch => ({
  batchId,
  streamId: 'stream',
  recordCount: 1,
  dataBytes: 1,
  storedBytes: 1,
  firstArrivalMs: 1,
  lastArrivalMs: 1,
  sealedAtMs: 1,
  sealReason: 'age',
})

test('ledger entries made together share a transaction, and one that fails fails them all', async () => {
  const clock = new ManualClock()
  const catalog = SqliteCatalog.open({ path, clock })
  const good = catalog.recordSealed(batchOf('a'))
  const bad = catalog.recordSealed({ ...batchOf('b'), streamId: null as unknown as string })
  expect(clock.sleeperCount).toBe(1)
  clock.advance(10)
  const results = await Promise.allSettled([good, bad])
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  const again = catalog.recordSealed(batchOf('a'))
  clock.advance(10)
  await again
  expect(await catalog.books('stream')).toMatchObject({ accepted: 1 })
  await catalog.close()
})

test('what was recorded survives a process that is killed in the midst of writing', async () => {
  const program = `
    import { SqliteCatalog } from ${JSON.stringify(new URL('./sqlite-catalog.ts', import.meta.url).href)}
    import { systemClock as clock } from ${JSON.stringify(new URL('../base/clock.ts', import.meta.url).href)}
    const catalog = SqliteCatalog.open({ path: ${JSON.stringify(path)}, clock })
    const batch = ${JSON.stringify(batchOf(''))}
    for (let count = 1; ; count += 1) {
      await catalog.recordSealed({ ...batch, batchId: String(count) })
      process.stdout.write(count + '\\n')
    }`
  const writer = spawn(process.execPath, ['--input-type=module', '-e', program])
  let output = ''
  writer.stdout.on('data', (data: Buffer) => {
    output += data.toString()
    if (output.includes('\n20\n')) writer.kill('SIGKILL')
  })
  await once(writer, 'close')
  const recordedCount = output.trim().split('\n').length
  const catalog = SqliteCatalog.open({ path, clock: systemClock })
  const { accepted } = await catalog.books('stream')
  await catalog.close()
  // One more may have been recorded than was told.
  expect([recordedCount, recordedCount + 1]).toContain(accepted)
})

test('migrations run once each, in order', () => {
  const database = new DatabaseSync(':memory:')
  const first = 'CREATE TABLE a (x)'
  migrate(database, [first])
  migrate(database, [first, 'ALTER TABLE a ADD COLUMN y'])
  migrate(database, [first, 'ALTER TABLE a ADD COLUMN y'])
  expect(database.prepare('SELECT name FROM pragma_table_info(?)').all('a')).toMatchObject([
    { name: 'x' },
    { name: 'y' },
  ])
  database.close()
})

test('a catalog from before processors keeps its books, and has made no records', async () => {
  const database = new DatabaseSync(path)
  migrate(database, MIGRATIONS.slice(0, 2))
  database.exec(`INSERT INTO books VALUES ('stream', 10, 6, 1, 2, 1)`)
  database.close()
  const catalog = SqliteCatalog.open({ path, clock: systemClock })
  expect(await catalog.books('stream')).toEqual({
    accepted: 10,
    made: 0,
    delivered: 6,
    dropped: 1,
    errored: 2,
    quarantined: 1,
  })
  await catalog.close()
})

test('a catalog of a newer version is refused', () => {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA user_version = 99')
  database.close()
  expect(() => SqliteCatalog.open({ path, clock: systemClock })).toThrow(
    'Cannot open the catalog: it has version 99, this Standpipe knows 3',
  )
})

test('a part is not entered beside parts that its replay has not seen', async () => {
  const catalog = SqliteCatalog.open({ path, clock: systemClock })
  const partOf = (batchId: string, source = 'bucket/key') => {
    return { streamId: 'stream', source, batchId, range: { from: 0, to: 1 }, records: 'AQ==' }
  }
  await catalog.recordReplay(partOf('a'), 0)
  for (const knownCount of [0, 2]) {
    const entered = catalog.recordReplay(partOf('b'), knownCount)
    await expect(entered).rejects.toThrow(CatalogConflict)
  }
  await catalog.recordReplay(partOf('c', 'bucket/other'), 0)
  await catalog.recordReplay(partOf('d'), 1)
  const parts = await catalog.replayedParts('stream', 'bucket/key')
  expect(parts.map(({ batchId }) => batchId)).toEqual(['a', 'd'])
  await catalog.close()
})
