import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { FAULT_FREE, MISBEHAVING } from '../fakes/fault-plan.ts'
import { FaultyS3 } from '../fakes/faulty-s3.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { CRASH_STREAMS, crashUnderTraffic, createStreams, judge } from './crash-run.ts'
import { Service } from './harness.ts'
import { Ledger } from './ledger.ts'
import { folderObjects, s3Objects } from './objects.ts'
import { bucketOf, s3Environment, smallStream } from './streams.ts'
import { lineOf } from './traffic.ts'

/** More on a machine that has the time for it: `STANDPIPE_TEST_KILLS=500 npx vitest run crash`. */
const KILL_COUNT = Number(process.env['STANDPIPE_TEST_KILLS'] ?? (process.env['CI'] ? 32 : 8))

const ENVIRONMENT = { STANDPIPE_SSE_KEY: randomBytes(32).toString('base64') }
const CLEAN = { findings: [], bookProblems: [] }

test('kill -9 under load with an S3 that misbehaves: nothing lost, nothing doubled', async () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  await using s3 = await FaultyS3.start(new SeededRandom(seed + 1))
  await using service = await Service.start({
    environment: { ...ENVIRONMENT, ...s3Environment(s3) },
  })
  const client = service.client()
  await createStreams(client)
  s3.misbehave(MISBEHAVING)
  const ledgers = await crashUnderTraffic(service, { killCount: KILL_COUNT, random })
  s3.misbehave(FAULT_FREE)

  for (const [name, ledger] of ledgers) {
    const bucket = s3.bucket(bucketOf(name))
    const verdict = await judge(client, name, ledger, () => s3Objects(bucket))
    expect(verdict, `seed ${seed}, stream ${name}`).toMatchObject(CLEAN)
    expect(verdict.acknowledgedCount).toBeGreaterThan(0)
    expect(bucket.rewrittenKeys(), `seed ${seed}`).toEqual([])
    expect(
      [...bucket.uploads.values()].map(({ key }) => key),
      `seed ${seed}`,
    ).toEqual([])
  }
  console.info(`crash test, seed ${seed}: ${JSON.stringify(Object.fromEntries(s3.played))}`)
  client.close()
})

test('kill -9 under load with local folders: nothing lost, nothing doubled', async () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  await using service = await Service.start({ environment: ENVIRONMENT })
  const client = service.client()
  await createStreams(client)
  const killCount = Math.ceil(KILL_COUNT / 3)
  const ledgers = await crashUnderTraffic(service, { killCount, random })

  for (const name of CRASH_STREAMS.keys()) {
    const folder = join(service.dataDir, 'buckets', bucketOf(name))
    const verdict = await judge(client, name, ledgers.get(name)!, () => folderObjects(folder))
    expect(verdict, `seed ${seed}, stream ${name}`).toMatchObject(CLEAN)
    expect(verdict.acknowledgedCount).toBeGreaterThan(0)
  }
  client.close()
})

test('kill -9 in the middle of multipart uploads: one object, and no parts left behind', async () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  await using s3 = await FaultyS3.start(new SeededRandom(seed + 1))
  await using service = await Service.start({ environment: s3Environment(s3) })
  const client = service.client()
  // Closed by the test, once they are larger than a single PUT may be.
  const BufferingHints = { SizeInMBs: 64, IntervalInSeconds: 900 }
  await smallStream(client, 'plain', { BufferingHints })
  const ledger = new Ledger()
  for (let batch = 0; batch < 24; batch += 1) {
    const ids = [1, 2, 3].map((number) => `plain-${batch * 3 + number}`)
    const input = {
      DeliveryStreamName: 'plain',
      Records: ids.map((id) => ({ Data: lineOf(id, 350_000).toString('base64') })),
    }
    const { status, body } = await client.call('PutRecordBatch', input)
    ledger.enter(ids, status, body)
  }
  s3.misbehave(MISBEHAVING)
  for (let kill = 0; kill < Math.ceil(KILL_COUNT / 3); kill += 1) {
    // The first kill seals the batch: recovery delivers it.
    await service.kill()
    await service.start()
    await sleep(random.integer(0, 700))
  }
  s3.misbehave(FAULT_FREE)

  const bucket = s3.bucket('bucket-plain')
  const verdict = await judge(client, 'plain', ledger, () => s3Objects(bucket))
  expect(verdict, `seed ${seed}`).toMatchObject({ ...CLEAN, objectCount: 1 })
  expect(bucket.rewrittenKeys(), `seed ${seed}`).toEqual([])
  expect([...bucket.uploads.keys()], `seed ${seed}`).toEqual([])
  client.close()
})
