/**
 * An encrypted stream with processors: while its destination can't be reached, what waits for it in the
 * data directory, be it as accepted, as transformed or as encoded, can't be read there. The names of
 * objects can, and with them the partition keys, as they can in S3.
 */
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { FAULT_FREE, OUTAGE } from '../fakes/fault-plan.ts'
import { FaultyS3 } from '../fakes/faulty-s3.ts'
import { SeededRandom } from '../fakes/seeded-random.ts'
import { eventually } from './harness.ts'
import { folderObjects, s3Objects } from './objects.ts'
import {
  deliveredText,
  eachRecord,
  errorRecords,
  lambda,
  processing,
  ProcessingService,
  processor,
} from './processing-service.ts'
import { bucketOf, s3Environment } from './streams.ts'

/** More than a spool keeps in memory, compressed or not. */
const RECORD_COUNT = 60
const PAD_BYTES = 100_000

test('records are nowhere on disk in plaintext, nor is what was made of them', async () => {
  await using s3 = await FaultyS3.start(new SeededRandom(1))
  await using standpipe = await ProcessingService.start(
    {
      'reverse.mjs': eachRecord(`
        const { marker, pad } = JSON.parse(text)
        if (marker.startsWith('bad')) return failed
        const reversed = [...marker].reverse().join('')
        return ok(reversed + pad, { partitionKeys: { part: 'first' } })`),
    },
    { ...s3Environment(s3), STANDPIPE_SSE_KEY: randomBytes(32).toString('base64') },
  )
  for (const name of ['secret', 'open']) {
    await standpipe.createS3Stream(name, {
      Prefix: 'data/!{partitionKeyFromLambda:part}/',
      DynamicPartitioningConfiguration: { Enabled: true },
      ...processing(lambda('reverse'), processor('AppendDelimiterToRecord')),
    })
  }
  await standpipe.firehose.startDeliveryStreamEncryption({ DeliveryStreamName: 'secret' })
  await eventually('the stream is encrypted', 10_000, async () => {
    const { DeliveryStreamDescription } = await standpipe.firehose.describeDeliveryStream({
      DeliveryStreamName: 'secret',
    })
    const { Status } = DeliveryStreamDescription?.DeliveryStreamEncryptionConfiguration ?? {}
    return Status === 'ENABLED' ? true : undefined
  })
  s3.misbehave(OUTAGE)
  for (const name of ['secret', 'open']) await standpipe.put(name, recordsOf(name))
  await expectSecrets(standpipe)
  await standpipe.service.kill()
  await standpipe.service.start()
  await expectSecrets(standpipe)

  s3.misbehave(FAULT_FREE)
  for (const name of ['secret', 'open']) {
    const books = await standpipe.settled(name)
    expect(books).toMatchObject({ delivered: RECORD_COUNT, errored: 1 })
    const objects = s3Objects(s3.bucket(bucketOf(name)))
    expect(deliveredText(objects)).toContain(traces(name)[1])
    expect(errorRecords(objects, 'processing-failed')).toHaveLength(1)
  }
})

/** Once both streams have tried in vain to deliver. */
async function expectSecrets(standpipe: ProcessingService): Promise<void> {
  for (const name of ['secret', 'open']) {
    await eventually(`${name} has been attempted`, 30_000, async () => {
      const { body } = await standpipe.http.get(`/streams/${name}`)
      const { LastFailure } = body['Delivery'] as { LastFailure?: object }
      return LastFailure === undefined ? undefined : true
    })
  }
  const disk = Buffer.concat(
    (await folderObjects(standpipe.service.dataDir)).map(({ bytes }) => bytes),
  )
  const found = (stream: string): string[] => traces(stream).filter((trace) => disk.includes(trace))
  // Of the other stream all is there: so the search would find it.
  expect(found('open')).toEqual(traces('open'))
  expect(found('secret')).toEqual([])
}

function recordsOf(stream: string): string[] {
  const good = Array.from({ length: RECORD_COUNT }, () => ({
    marker: `marker-${stream}`,
    pad: randomBytes(PAD_BYTES / 2).toString('hex'),
  }))
  return [...good, { marker: `bad-${stream}`, pad: '' }].map((each) => JSON.stringify(each))
}

/** Of an accepted record, a transformed one, and a failed one in its error line. */
function traces(stream: string): string[] {
  const reversed = Array.from(`marker-${stream}`).toReversed().join('')
  return [
    `marker-${stream}`,
    reversed,
    Buffer.from(JSON.stringify({ marker: `bad-${stream}`, pad: '' })).toString('base64'),
  ]
}
