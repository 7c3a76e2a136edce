import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { FAULT_FREE, HANGING } from '../fakes/fault-plan.ts'
import { FaultyS3 } from '../fakes/faulty-s3.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { EXIT } from '../../src/cli/exit-code.ts'
import { readBooks, settledBooks } from './books.ts'
import { judge } from './crash-run.ts'
import { eventually, Service } from './harness.ts'
import { Ledger } from './ledger.ts'
import { s3Objects } from './objects.ts'
import { s3Environment, smallStream } from './streams.ts'
import { Traffic } from './traffic.ts'

test.each([
  { title: 'has been tried once', requestTimeoutMs: '500', exitCode: EXIT.ok },
  { title: 'takes too long', requestTimeoutMs: '60000', exitCode: EXIT.drainTimedOut },
])('SIGTERM under load, an S3 that hangs, $title: keeps all and exits $exitCode', async (given) => {
  const seed = testSeed()
  await using s3 = await FaultyS3.start(new SeededRandom(seed))
  await using service = await Service.start({
    environment: {
      ...s3Environment(s3),
      STANDPIPE_S3_REQUEST_TIMEOUT_MS: given.requestTimeoutMs,
      STANDPIPE_DRAIN_TIMEOUT_MS: '1500',
    },
  })
  const client = service.client()
  // Nothing is due for a quarter of an hour: only the drain can seal what is open.
  await smallStream(client, 'plain', { BufferingHints: { SizeInMBs: 64, IntervalInSeconds: 900 } })
  s3.misbehave(HANGING)
  const ledger = new Ledger()
  const stop = new AbortController()
  const traffic = new Traffic({
    urls: [service.url],
    streamNames: ['plain'],
    connectionCount: 3,
    random: new SeededRandom(seed),
    ledgers: new Map([['plain', ledger]]),
  }).run(stop.signal)
  await eventually('some records are acknowledged', 10_000, () =>
    Promise.resolve(ledger.acknowledged.size > 500 ? true : undefined),
  )

  const startedMs = performance.now()
  const exitCode = await service.terminate()
  const tookMs = performance.now() - startedMs
  stop.abort()
  await traffic
  expect({ exitCode, inTime: tookMs < 6_000 }, service.log.slice(-2_000)).toEqual({
    exitCode: given.exitCode,
    inTime: true,
  })
  // What is left is told, and not guessed from the time it took.
  const isCutShort = given.exitCode === EXIT.drainTimedOut
  expect(service.log).toMatch(new RegExp(`"cutShort":${isCutShort},"leftBatchCount":[1-9]`))

  s3.misbehave(FAULT_FREE)
  await service.start()
  const verdict = await judge(client, 'plain', ledger, () => s3Objects(s3.bucket('bucket-plain')))
  expect(verdict, `seed ${seed}`).toMatchObject({ findings: [], bookProblems: [] })
  client.close()
})

test('SIGTERM seals open batches at once and delivers them before it ends', async () => {
  await using s3 = await FaultyS3.start(new SeededRandom(1))
  await using service = await Service.start({ environment: s3Environment(s3) })
  const client = service.client()
  await smallStream(client, 'plain', { BufferingHints: { SizeInMBs: 64, IntervalInSeconds: 900 } })
  await client.expect('PutRecord', {
    DeliveryStreamName: 'plain',
    Record: { Data: Buffer.from('the last word\n').toString('base64') },
  })
  expect(await readBooks(client, 'plain')).toMatchObject({ accepted: 1, pending: 1 })

  expect(await service.terminate()).toBe(0)
  const objects = s3Objects(s3.bucket('bucket-plain'))
  expect(objects.map(({ bytes }) => bytes.toString())).toEqual(['the last word\n'])
  client.close()
})

test('a second SIGTERM ends the drain at once, and nothing is lost', async () => {
  await using s3 = await FaultyS3.start(new SeededRandom(1))
  await using service = await Service.start({
    environment: {
      ...s3Environment(s3),
      STANDPIPE_S3_REQUEST_TIMEOUT_MS: '60000',
      STANDPIPE_DRAIN_TIMEOUT_MS: '60000',
    },
  })
  const client = service.client()
  await smallStream(client, 'plain', {})
  s3.misbehave(HANGING)
  await client.expect('PutRecord', { DeliveryStreamName: 'plain', Record: { Data: 'aGk=' } })
  client.close()
  const { pid } = service
  const ended = service.terminate()
  // Signals within a second of the first count as the first.
  await sleep(1_200)
  process.kill(pid ?? 0, 'SIGTERM')
  expect(await ended).toBe(EXIT.drainTimedOut)

  s3.misbehave(FAULT_FREE)
  await service.start()
  const after = service.client()
  expect(await settledBooks(after, 'plain')).toMatchObject({ accepted: 1, delivered: 1 })
  after.close()
})
