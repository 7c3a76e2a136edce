import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ContentBudget } from './content-budget.ts'

test('contents wait until those before them have given back what they do not need', async () => {
  const budget = new ContentBudget(10)
  const admitted: string[] = []
  const hold = async (name: string, bytes: number) => {
    const held = await budget.hold(bytes)
    admitted.push(name)
    return held
  }
  const first = await hold('first', 8)
  const second = hold('second', 8)
  const small = hold('small', 1)
  await turn()
  expect(admitted).toEqual(['first'])
  first.shrinkTo(2)
  const held = await second
  await turn()
  expect(admitted).toEqual(['first', 'second'])
  first[Symbol.dispose]()
  held[Symbol.dispose]()
  held[Symbol.dispose]()
  const last = await small
  expect(admitted).toEqual(['first', 'second', 'small'])
  last[Symbol.dispose]()
  await expect(budget.hold(10)).resolves.toBeDefined()
})
