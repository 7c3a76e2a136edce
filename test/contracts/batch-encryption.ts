/** What every BatchStore must do for streams with server-side encryption. */
import { expect, test } from 'vitest'
import { BatchIds } from '../../src/batch.ts'
import type { AppendTarget } from '../../src/batch-store.ts'
import { LocalKeyRing } from '../../src/embedded/local-key-ring.ts'
import { appendAll, chunk, listed, only, readTexts } from './batch-store.ts'
import type { OpenStore } from './batch-store.ts'
import { ManualClock } from './manual-clock.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')

export function batchEncryptionContract(name: string, openStore: OpenStore): void {
  const clock = new ManualClock()
  const ids = new BatchIds(clock)
  const keyRing = LocalKeyRing.fromSetting(KEY, clock)
  const open = () => openStore({ clock, keyRing, quotaBytes: 100_000_000 })
  const makeTarget = (facts: Partial<AppendTarget> = {}): AppendTarget => ({
    streamId: ids.next(),
    sizeBytesMax: 1_000_000,
    ageMsMax: 60_000,
    ...facts,
  })

  test(`${name}: a stream with a data key is read back through the key ring`, async () => {
    await using tested = await open()
    const target = makeTarget({ dataKey: keyRing.makeDataKey() })
    await appendAll(tested.store, target, [chunk('secret', ''), chunk('more')])
    await tested.store.seal(target.streamId, 'flush')
    await using restarted = await tested.restart()
    const [batch] = await listed(restarted.store)
    expect(batch).toMatchObject({ recordCount: 3, dataBytes: 10 })
    expect(await readTexts(restarted.store, only([batch]))).toEqual(['secret', '', 'more'])
  })

  test(`${name}: another data key, or none, begins another batch`, async () => {
    await using tested = await open()
    const target = makeTarget()
    const first = { ...target, dataKey: keyRing.makeDataKey() }
    const second = { ...target, dataKey: keyRing.makeDataKey() }
    const appends = [target, first, first, second, target].map((target, index) =>
      tested.store.append(target, chunk(String(index))),
    )
    await Promise.all(appends)
    await tested.store.seal(target.streamId, 'flush')
    const texts = await Promise.all(tested.sealed.map((batch) => readTexts(tested.store, batch)))
    expect(texts).toEqual([['0'], ['1', '2'], ['3'], ['4']])
  })

  test(`${name}: a data key that the key ring can't open fails the reading, and loses nothing`, async () => {
    await using tested = await open()
    const stranger = LocalKeyRing.fromSetting(Buffer.alloc(32, 8).toString('base64'), clock)
    const target = makeTarget({ dataKey: stranger.makeDataKey() })
    await tested.store.append(target, chunk('a'))
    await tested.store.seal(target.streamId, 'flush')
    await expect(readTexts(tested.store, only(tested.sealed))).rejects.toThrow(
      'Cannot unwrap the data key',
    )
    expect(await listed(tested.store)).toEqual(tested.sealed)
  })
}
