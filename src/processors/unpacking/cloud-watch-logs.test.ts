import { expect, test } from 'vitest'
import { runProcessor } from '../../../test/fakes/processing.ts'
import { systemClock } from '../../base/clock.ts'
import { cloudWatchLogs } from './cloud-watch-logs.ts'

const clock = { ...systemClock, nowMs: () => 5 }
const extraction = cloudWatchLogs({ messageExtraction: true, clock })

function envelope(messages: readonly unknown[], messageType = 'DATA_MESSAGE'): string {
  return JSON.stringify({
    messageType,
    owner: '123456789012',
    logGroup: '/var/log/app',
    logStream: 'i-0',
    subscriptionFilters: ['all'],
    logEvents: messages.map((message, id) => ({ id: String(id), timestamp: 1, message })),
  })
}

test('an envelope becomes one record of its messages, each with a line feed behind it', async () => {
  const original = envelope(['first', '', 'third\nin two lines', 'großes Ü'])
  const { out, failed, made } = await runProcessor(extraction, [original, envelope([])])
  expect([failed, made]).toEqual([[], 0])
  expect(out.map((record) => [record.data.toString(), record.original.toString()])).toEqual([
    ['first\n\nthird\nin two lines\ngroßes Ü\n', original],
    ['', envelope([])],
  ])
})

test('a control message becomes an empty record', async () => {
  const { out } = await runProcessor(extraction, [
    envelope(['CWL CONTROL MESSAGE: Checking health'], 'CONTROL_MESSAGE'),
  ])
  expect(out.map(({ data }) => data.byteLength)).toEqual([0])
})

test.each([
  ['is empty', ''],
  ['is no JSON', 'DATA_MESSAGE'],
  ['is no object', '["DATA_MESSAGE"]'],
  ['has another type', envelope(['a'], 'OTHER_MESSAGE')],
  ['has no events', '{"messageType":"DATA_MESSAGE"}'],
  ['has an event without message', envelope(['a', undefined])],
  ['has a message that is no text', envelope(['a', 1])],
  ['is two envelopes', envelope(['a']) + envelope(['b'])],
  ['is no UTF-8', Buffer.from(envelope(['\xff']), 'latin1')],
])('a record that %s fails', async (_, data) => {
  const { out, failed } = await runProcessor(extraction, [envelope(['before']), data])
  expect(out.map((record) => record.data.toString())).toEqual(['before\n'])
  expect(failed.map(({ record, failure }) => [record.original, failure])).toEqual([
    [
      Buffer.from(data),
      {
        errorOutputType: 'processing-failed',
        errorCode: 'CloudWatchLogProcessing.InvalidEnvelope',
        errorMessage: 'Cannot extract messages: the record is not an envelope of CloudWatch Logs',
        attemptsMade: 1,
        atMs: 5,
      },
    ],
  ])
})

test('without extraction everything passes as it is', async () => {
  const records = [envelope(['a']), envelope([], 'CONTROL_MESSAGE'), 'something else', '']
  const { out } = await runProcessor(cloudWatchLogs({ messageExtraction: false, clock }), records)
  expect(out.map(({ data }) => data.toString())).toEqual(records)
})
