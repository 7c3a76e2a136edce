/** A Lambda processor with a module on this host: what the function is told, and what comes of it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TransformationEvent } from '../../src/functions.ts'
import {
  deliveredText,
  eachRecord,
  functionArn,
  lambda,
  processing,
  ProcessingService,
  processor,
  ROLE,
} from './processing-service.ts'

const ANSWERS = `
  if (text.startsWith('drop')) return dropped
  if (text.startsWith('fail')) return failed
  return ok(text.toUpperCase())`

let standpipe: ProcessingService
beforeAll(async () => {
  standpipe = await ProcessingService.start({ 'shout.ts': eachRecord(ANSWERS) })
})
afterAll(async () => standpipe?.[Symbol.asyncDispose]())

test('records are transformed, dropped and failed, and each can be asked for', async () => {
  const beforeMs = Date.now()
  await standpipe.createS3Stream('mixed', {
    ...processing(lambda('shout'), processor('AppendDelimiterToRecord')),
    S3BackupMode: 'Enabled',
    S3BackupConfiguration: {
      RoleARN: ROLE,
      BucketARN: 'arn:aws:s3:::bucket-mixed',
      Prefix: 'backup/',
    },
  })
  const records = ['one', 'drop two', 'fail three', 'four', '', 'fail five', 'six é']
  const ids = await standpipe.put('mixed', records)

  expect(await standpipe.settled('mixed')).toMatchObject({
    accepted: 7,
    made: 0,
    delivered: 4,
    dropped: 1,
    errored: 2,
  })
  const objects = await standpipe.objects('mixed')
  const [backup, delivered, failed] = objects
  expect(objects.map(({ key }) => key)).toEqual([
    expect.stringMatching(/^backup\/\d{4}(\/\d\d){3}\/mixed-1-/),
    expect.stringMatching(/^data\/\d{4}(\/\d\d){3}\/mixed-1-/),
    expect.stringMatching(/^errors\/processing-failed\/mixed-1-/),
  ])
  expect(delivered?.bytes.toString()).toBe('ONE\nFOUR\n\nSIX É')
  expect(backup?.bytes.toString()).toBe(records.join(''))
  expect(failed?.bytes.toString()).toMatch(
    new RegExp(`^${errorLine('fail three')}${errorLine('fail five')}$`),
  )
  for (const line of failed?.bytes.toString().trimEnd().split('\n') ?? []) {
    const { arrivalTimestamp, attemptEndingTimestamp } = JSON.parse(line) as Record<string, number>
    expect(arrivalTimestamp).toBeGreaterThanOrEqual(beforeMs)
    expect(attemptEndingTimestamp).toBeGreaterThanOrEqual(arrivalTimestamp ?? Infinity)
    expect(attemptEndingTimestamp).toBeLessThanOrEqual(Date.now())
  }

  const places = await Promise.all(ids.map((id) => standpipe.whereabouts(id)))
  expect(places.map(({ state }) => state)).toEqual([
    'delivered',
    'dropped',
    'errored',
    'delivered',
    'delivered',
    'errored',
    'delivered',
  ])
  expect(places[0]?.kinds.toSorted()).toEqual(['s3', 's3-backup'])
  expect(places[1]?.kinds).toEqual(['s3-backup'])
  expect(places[2]?.kinds.toSorted()).toEqual(['processing-failed', 's3-backup'])
})

/** A pattern for AWS's error record, its members in their order. */
function errorLine(record: string): string {
  return [
    `{"rawData":"${Buffer.from(record).toString('base64')}"`,
    '"errorCode":"Lambda.ProcessingFailedStatus"',
    '"errorMessage":"ProcessingFailed status set for record"',
    '"attemptsMade":1',
    String.raw`"arrivalTimestamp":\d{13}`,
    String.raw`"attemptEndingTimestamp":\d{13}`,
    `"lambdaARN":"${functionArn('shout')}"}\n`,
  ].join(',')
}

test('the function is told what AWS tells it, with the record ids that the producer got', async () => {
  const notes = JSON.stringify(standpipe.notePath('event'))
  await standpipe.writeFunction(
    'witness.mjs',
    `import { appendFileSync } from 'node:fs'
     export const handler = async (event) => {
       appendFileSync(${notes}, JSON.stringify(event) + '\\n')
       const records = event.records.map((record) => ({ ...record, result: 'Ok' })).reverse()
       return { records }
     }`,
  )
  await standpipe.createS3Stream('told', processing(lambda('witness')))
  const ids = await standpipe.put('told', ['a', '', '\u{1f600}'])
  expect(await standpipe.settled('told')).toMatchObject({ accepted: 3, delivered: 3 })
  // In its own order, whatever that of the answer.
  expect(deliveredText(await standpipe.objects('told'))).toBe('a\u{1f600}')
  const events = await standpipe.noteLines('event')
  expect(events).toHaveLength(1)
  expect(JSON.parse(events[0] ?? '') as TransformationEvent).toEqual({
    invocationId: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
    deliveryStreamArn: 'arn:aws:firehose:us-east-1:000000000000:deliverystream/told',
    region: 'us-east-1',
    records: ids.map((recordId, index) => ({
      recordId,
      approximateArrivalTimestamp: expect.any(Number),
      data: ['YQ==', '', '8J+YgA=='][index],
    })),
  })
})
