import { expect, test } from 'vitest'
import { findInLanes, forLanes } from './for-lanes.ts'
import type { Lane } from './lanes.ts'

const lanes = Array.from({ length: 600 }, (_, lane) => ({ streamId: 'stream', lane }))

test('all lanes are asked, some hundreds at a time, and answer in their order', async () => {
  let [askedCount, most] = [0, 0]
  const answers = await forLanes(lanes, async ({ lane }) => {
    askedCount += 1
    most = Math.max(most, askedCount)
    await Promise.resolve()
    askedCount -= 1
    return lane
  })
  expect(answers).toEqual(lanes.map(({ lane }) => lane))
  expect(most).toBe(256)
})

test('what one lane has is found, and those far behind it are not asked', async () => {
  const asked: number[] = []
  const ask = async ({ lane }: Lane): Promise<string | undefined> => {
    asked.push(lane)
    return lane === 300 ? 'here' : undefined
  }
  expect(await findInLanes(lanes, ask)).toBe('here')
  expect(asked).toHaveLength(512)
  expect(await findInLanes(lanes.slice(0, 300), ask)).toBe(undefined)
})
