import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ManualClock } from '../../test/contracts/manual-clock.ts'
import { insist, isOutOfMemory, isPassing } from './insist.ts'

function replyError(message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError' })
}

/** Lets time go by until the promise has settled. */
async function settle<Answer>(clock: ManualClock, promise: Promise<Answer>) {
  const outcome = Promise.allSettled([promise])
  const isSettled = outcome.then(() => true)
  while (!(await Promise.race([isSettled, sleep(1, false)]))) clock.advance(50)
  return (await outcome)[0]
}

test('what passes is asked for again until it is answered', async () => {
  const clock = new ManualClock()
  const failures = ['LOADING Redis is loading', 'CLUSTERDOWN Hash slot not served']
  const asked = insist(
    () => {
      const message = failures.shift()
      return message === undefined ? Promise.resolve('done') : Promise.reject(replyError(message))
    },
    { clock, withinMs: 5_000 },
  )
  expect(await settle(clock, asked)).toEqual({ status: 'fulfilled', value: 'done' })
  expect(clock.sleeperCount).toBe(0)
})

test('what does not pass fails at once', async () => {
  const clock = new ManualClock()
  const error = replyError('WRONGTYPE Operation against a key')
  await expect(insist(() => Promise.reject(error), { clock, withinMs: 5_000 })).rejects.toBe(error)
  expect(clock.sleeperCount).toBe(0)
})

test('what goes on failing counts as unanswered, and says by what error', async () => {
  const clock = new ManualClock()
  const error = replyError('READONLY You can not write against a read only replica')
  const outcome = await settle(
    clock,
    insist(() => Promise.reject(error), { clock, withinMs: 5_000 }),
  )
  expect(outcome).toMatchObject({ reason: { name: 'Unanswered', cause: error } })
})

test('what is never answered fails in time', async () => {
  const clock = new ManualClock()
  const startMs = clock.monotonicMs()
  const never = insist(() => new Promise(() => {}), { clock, withinMs: 5_000 })
  expect(await settle(clock, never)).toMatchObject({
    reason: { name: 'Unanswered', message: 'Redis did not answer within 5000 ms' },
  })
  expect(clock.monotonicMs() - startMs).toBeLessThan(5_200)
})

test.for([
  [replyError('OOM command not allowed'), false],
  [replyError('ERR Error running script: @user_script: 1: -READONLY You can not write'), true],
  [Object.assign(new Error('connect'), { syscall: 'connect', code: 'ECONNREFUSED' }), true],
  [new Error('Connection is closed.'), true],
  [new Error('Too many Cluster redirections. Last error: ReplyError: ASK 1 host:1'), true],
  [Object.assign(new Error('Reached'), { name: 'MaxRetriesPerRequestError' }), true],
  [new TypeError('Not a function'), false],
] as const)('%s passes: %s', ([error, passes]) => {
  expect(isPassing(error)).toBe(passes)
})

test('a full Redis is told from other errors, of 6.2 and of 7', () => {
  const messages = [
    "OOM command not allowed when used memory > 'maxmemory'. script: 1, on @user_script:32.",
    'ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed',
    'ERR no BOOM',
  ]
  expect(messages.map((message) => isOutOfMemory(replyError(message)))).toEqual([true, true, false])
})
