/** Dynamic partitioning with the real jq: many keys, hostile keys, and switching on a live stream. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { startS3Server } from '../servers/s3-server.ts'
import type { S3Server } from '../servers/s3-server.ts'
import { eventually } from './harness.ts'
import {
  DESTINATION_ID,
  eachRecord,
  errorRecords,
  lambda,
  processing,
  ProcessingService,
  processor,
  rawText,
} from './processing-service.ts'
import { S3Buckets } from './s3-buckets.ts'

const KEY_COUNT = 10_000
const s3Server = await startS3Server()
const MIB = 1024 * 1024
const DELIVERY_MS_MAX = 60_000
/** More than the files and connections that the same service opens for one object. */
const OPEN_FILES_MORE_MAX = 64

test('ten thousand keys in one batch: an object each, at bounded memory and few open files', async () => {
  await using standpipe = await ProcessingService.start({})
  await standpipe.createS3Stream('keys', {
    // In one folder: ten thousand would cost the disk more than the objects.
    Prefix: 'data/!{timestamp:yyyy}/!{partitionKeyFromQuery:customer}-',
    DynamicPartitioningConfiguration: { Enabled: true },
    ...processing(
      // Not one that is evaluated without jq.
      processor('MetadataExtraction', {
        MetadataExtractionQuery: '{customer: ("c" + (.number * 7 | tostring))}',
      }),
    ),
  })
  const idleFiles = await openFileCount(standpipe)
  // Ordered so that a partition's records lie far apart.
  const records = Array.from({ length: 2 * KEY_COUNT }, (_, index) =>
    JSON.stringify({ number: index % KEY_COUNT, turn: Math.floor(index / KEY_COUNT) }),
  )
  await standpipe.put('keys', records)
  let mostFiles = 0
  await eventually('the batch is delivered', DELIVERY_MS_MAX, async () => {
    mostFiles = Math.max(mostFiles, await openFileCount(standpipe))
    return (await standpipe.books('keys')).pending === 0 ? true : undefined
  })

  expect(await standpipe.settled('keys')).toMatchObject({
    accepted: 2 * KEY_COUNT,
    delivered: 2 * KEY_COUNT,
  })
  const objects = await standpipe.objects('keys')
  const texts = new Map(
    objects.map(({ key, bytes }) => [
      /^data\/\d{4}\/c(\d+)-keys-1-/.exec(key)?.[1],
      bytes.toString(),
    ]),
  )
  expect(texts.size).toBe(KEY_COUNT)
  expect(objects).toHaveLength(KEY_COUNT)
  // Only those that are not as they should be: all of them would take long to compare and print.
  const wrong = [...texts].filter(([key, text]) => {
    const number = Number(key) / 7
    return text !== `{"number":${number},"turn":0}{"number":${number},"turn":1}`
  })
  expect(wrong).toEqual([])
  if (process.platform !== 'linux') return
  expect(await peakMemoryBytes(standpipe)).toBeLessThan(512 * MIB)
  expect(mostFiles).toBeLessThan(idleFiles + OPEN_FILES_MORE_MAX)
})

// The client's garbage for ten thousand requests is the greater part of it.
test.runIf(available('S3 server', s3Server !== undefined))(
  'the same to S3: ten thousand puts at bounded memory',
  async () => {
    await using s3 = new S3Buckets(s3Server as S3Server)
    await using standpipe = await ProcessingService.start({}, s3.environment)
    await s3.create('keys')
    await standpipe.createS3Stream('keys', {
      Prefix: '!{partitionKeyFromQuery:customer}/',
      CompressionFormat: 'GZIP',
      DynamicPartitioningConfiguration: { Enabled: true },
      ...processing(
        processor('MetadataExtraction', { MetadataExtractionQuery: '{customer: .number}' }),
      ),
    })
    const records = Array.from({ length: KEY_COUNT }, (_, number) => JSON.stringify({ number }))
    await standpipe.put('keys', records)
    await eventually('the batch is delivered', DELIVERY_MS_MAX, async () =>
      (await standpipe.books('keys')).pending === 0 ? true : undefined,
    )
    expect(await standpipe.settled('keys')).toMatchObject({ delivered: KEY_COUNT })
    if (process.platform !== 'linux') return
    expect(await peakMemoryBytes(standpipe)).toBeLessThan(512 * MIB)
  },
)

test('hostile keys: nothing leaves the bucket, no two become one, and the unfit are errors', async () => {
  await using standpipe = await ProcessingService.start({
    'route.mjs': eachRecord('ok(text, { partitionKeys: { where: JSON.parse(text).where } })'),
  })
  await standpipe.createS3Stream('hostile', {
    Prefix: 'data/!{partitionKeyFromQuery:who}/!{partitionKeyFromLambda:where}/',
    DynamicPartitioningConfiguration: { Enabled: true },
    ...processing(
      lambda('route'),
      processor('MetadataExtraction', { MetadataExtractionQuery: '{who: .who}' }),
    ),
  })
  // oxfmt-ignore
  const fit = [
    '..', '.', '../../../etc', 'a/../../b', '/absolute', 'a//b', 'a/', 'a', '%2E', '%2e%2e', '%',
    'C:\\windows', '\u0000', 'line\nfeed', '\u202Eright to left', '!{timestamp:yyyy}', '${HOME}', '*',
    'con', '__proto__', 'ä', 'a\u0308', '\u{1f600}', ' ', "'", '"', '<&>', 'x'.repeat(100),
  ]
  const unfit = ['', 'x'.repeat(101), 'x/'.repeat(200), 'é'.repeat(200)]
  const records = [...fit, ...unfit].map((key) => JSON.stringify({ who: key, where: key }))
  await standpipe.put('hostile', [JSON.stringify({ who: 'first', where: 'first' })])
  await standpipe.settled('hostile')
  const filesBefore = await readdir(standpipe.service.dataDir)
  await standpipe.put('hostile', records)

  expect(await standpipe.settled('hostile')).toMatchObject({
    accepted: records.length + 1,
    delivered: fit.length + 1,
    errored: unfit.length,
  })
  const objects = await standpipe.objects('hostile')
  const delivered = objects.filter(({ key }) => /^data\/(?!first\/)/.test(key))
  expect(delivered.map(({ bytes }) => bytes.toString()).toSorted()).toEqual(
    records.slice(0, fit.length).toSorted(),
  )
  for (const { key } of delivered) expect(key).not.toMatch(/(^|\/)\.{0,2}\/|\\|\p{Cc}/u)
  expect(await readdir(standpipe.service.dataDir)).toEqual(filesBefore)
  expect(await readdir(join(standpipe.service.dataDir, 'buckets'))).toEqual([
    '.partial',
    'bucket-hostile',
  ])
  expect(await readdir(join(standpipe.service.dataDir, 'buckets', '.partial'))).toEqual([])
  const failures = errorRecords(objects, 'processing-failed')
  expect(failures.map(({ errorCode }) => errorCode)).toEqual(
    unfit.map(() => 'DynamicPartitioning.MetadataExtractionFailed'),
  )
  expect(failures.map(rawText)).toEqual(records.slice(fit.length))
})

test('partitioning is switched on and off on a live stream', async () => {
  await using standpipe = await ProcessingService.start({})
  const off = {
    Prefix: 'data/all/',
    DynamicPartitioningConfiguration: { Enabled: false },
    ProcessingConfiguration: { Enabled: false, Processors: [] },
  }
  const on = {
    Prefix: 'data/by-day/!{partitionKeyFromQuery:day}/',
    DynamicPartitioningConfiguration: { Enabled: true },
    ...processing(processor('MetadataExtraction', { MetadataExtractionQuery: '{day: .day}' })),
  }
  await standpipe.createS3Stream('live', off)
  const update = async (version: number, ExtendedS3DestinationUpdate: typeof off | typeof on) => {
    await standpipe.firehose.updateDestination({
      DeliveryStreamName: 'live',
      CurrentDeliveryStreamVersionId: String(version),
      DestinationId: DESTINATION_ID,
      ExtendedS3DestinationUpdate,
    })
  }
  const batch = (turn: number) => ['mon', 'tue', 'mon'].map((day) => JSON.stringify({ day, turn }))
  await standpipe.put('live', batch(1))
  await standpipe.settled('live')
  await update(1, on)
  await standpipe.put('live', batch(2))
  await standpipe.settled('live')
  await update(2, off)
  await standpipe.put('live', batch(3))
  expect(await standpipe.settled('live')).toMatchObject({ accepted: 9, delivered: 9, errored: 0 })

  const objects = await standpipe.objects('live')
  const [mon, tue] = batch(2)
  expect(objects.map(({ key, bytes }) => [key, bytes.toString()])).toEqual([
    [expect.stringMatching(/^data\/all\/\d{4}(\/\d\d){3}\/live-1-/), batch(1).join('')],
    [expect.stringMatching(/^data\/all\/\d{4}(\/\d\d){3}\/live-3-/), batch(3).join('')],
    [expect.stringMatching(/^data\/by-day\/mon\/\d{4}(\/\d\d){3}\/live-2-/), `${mon}${mon}`],
    [expect.stringMatching(/^data\/by-day\/tue\/\d{4}(\/\d\d){3}\/live-2-/), tue],
  ])
  const { DeliveryStreamDescription } = await standpipe.firehose.describeDeliveryStream({
    DeliveryStreamName: 'live',
  })
  expect(DeliveryStreamDescription?.VersionId).toBe('3')
})

function procPath({ service }: ProcessingService, name: string): string {
  return `/proc/${service.pid}/${name}`
}

/** Files, sockets and the like; 0 where the system has no /proc. */
async function openFileCount(standpipe: ProcessingService): Promise<number> {
  if (process.platform !== 'linux') return 0
  const names = await readdir(procPath(standpipe, 'fd'))
  return names.length
}

/** What the process has held at its worst. */
async function peakMemoryBytes(standpipe: ProcessingService): Promise<number> {
  const status = await readFile(procPath(standpipe, 'status'), 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}
