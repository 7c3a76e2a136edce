/** Files that are not of today: of a time before another, or of an earlier version. */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { contentsOf, fill, readOn } from '../../test/transfer/filled-place.ts'
import { Places } from '../../test/transfer/places.ts'
import { exportAll } from './export.ts'
import { importAll } from './import.ts'

const quietly = (): void => {}
/** One stream, one batch. */
const FILE_OF_VERSION_1 = fileURLToPath(
  new URL('../../test/transfer/version-1.export', import.meta.url),
)

test('that a newer file was read further stands in the way: nobody would read that again', async () => {
  await using places = await Places.make()
  const source = await places.embedded('source')
  const filled = await fill(source)
  await exportAll(source, places.file('early'), quietly)
  await readOn(source, filled)
  await exportAll(source, places.file('late'), quietly)
  const target = await places.embedded('target')
  const dying = (): void => {
    throw new Error('The process is dead')
  }
  await expect(importAll(target, places.file('late'), dying)).rejects.toThrow('dead')
  const before = await contentsOf(target)
  await expect(importAll(target, places.file('early'), quietly)).rejects.toThrow(
    'Cannot import stream paused: its source is read further there than the file has it',
  )
  expect(await contentsOf(target)).toEqual(before)
})

test('a file of the first version is imported', async () => {
  await using places = await Places.make()
  const target = await places.embedded('target')
  expect(await importAll(target, FILE_OF_VERSION_1, quietly)).toMatchObject({
    imported: { streamCount: 1, positionCount: 0, batchCount: 1, recordCount: 3 },
  })
  const { catalog, batches } = await contentsOf(target)
  expect(catalog).toMatchObject([
    { stream: { name: 'logs' }, books: { accepted: 3 }, positions: [] },
  ])
  expect(batches).toMatchObject([
    {
      chunks: [
        { firstOrdinal: 0, records: ['one', 'two'], metadata: undefined },
        { firstOrdinal: 2, records: ['three'], metadata: undefined },
      ],
      manifest: { versionId: 1, destinationType: 'ExtendedS3' },
    },
  ])
})
