import { Firehose } from '@aws-sdk/client-firehose'
import { expect, test } from 'vitest'
import { ManualClock } from '../../test/contracts/manual-clock.ts'
import { fakeService } from '../../test/fakes/service-before-commands.ts'
import type { Answer } from '../../test/fakes/service-before-commands.ts'
import { FirehoseSender } from './firehose-sender.ts'
import { RequestRefused } from './record-sender.ts'

const RECORDS = [Buffer.from('a'), Buffer.from('b'), Buffer.from('c')]

async function send(answer: Answer, clock = new ManualClock()): Promise<unknown> {
  await using service = await fakeService(answer)
  const credentials = { accessKeyId: 'id', secretAccessKey: 'secret' }
  const firehose = new Firehose({
    endpoint: service.url,
    region: 'us-east-1',
    credentials,
    maxAttempts: 1,
  })
  try {
    return await new FirehoseSender(firehose, 'logs', clock).send(RECORDS)
  } finally {
    firehose.destroy()
  }
}

test('it tells which records are refused, and why', async () => {
  const ErrorCode = 'ServiceUnavailableException'
  const RequestResponses = [{ RecordId: '0' }, { ErrorCode, ErrorMessage: 'Slow down.' }]
  expect(await send(() => ({ body: { FailedPutCount: 1, RequestResponses } }))).toEqual([
    { index: 1, reason: 'ServiceUnavailableException: Slow down.' },
    { index: 2, reason: 'no answer' },
  ])
})

test.each([
  [400, 'ResourceNotFoundException', true],
  [400, 'InvalidArgumentException', true],
  [403, 'AccessDeniedException', true],
  [400, 'ThrottlingException', false],
  [400, 'LimitExceededException', false],
  [429, 'TooMany', false],
  [503, 'ServiceUnavailableException', false],
])('%i %s is a mistake: %s', async (status, __type, isMistake) => {
  const failed = send(() => ({ status, body: { __type, message: 'No.' } }))
  const error: unknown = await failed.catch((error: unknown) => error)
  expect(error instanceof RequestRefused).toBe(isMistake)
  expect(error).toMatchObject({ message: isMistake ? `${__type}: No.` : 'No.' })
})

test('a request without an answer ends after a minute', async () => {
  const clock = new ManualClock()
  const failed = send(() => {
    clock.advance(60_000)
    return { body: {} }
  }, clock)
  await expect(failed).rejects.toThrow('aborted')
  expect(clock.sleeperCount).toBe(0)
})
