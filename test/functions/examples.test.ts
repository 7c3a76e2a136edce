/** The examples in functions/, run as the service runs them. */
import { afterAll, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { FunctionDirectory } from '../../src/functions/function-directory.ts'
import { eventOf, functionArn } from '../fakes/function-fixtures.ts'

const functions = new FunctionDirectory({
  directory: new URL('../../functions', import.meta.url).pathname,
  mapping: {},
  lambda: { region: 'us-east-1' },
  timeoutMs: 10_000,
  memoryMB: 256,
  clock: systemClock,
  logger: silentLogger,
})
afterAll(() => functions.close())

interface Answer {
  readonly records: readonly {
    readonly recordId: string
    readonly result: string
    readonly data: string
    readonly metadata?: { readonly partitionKeys: object }
  }[]
}

/** What each record became; the ids must be those that were sent. */
async function transform(name: string, ...datas: string[]): Promise<unknown[][]> {
  const lease = await functions.lease(functionArn(name))
  const event = eventOf(...datas)
  const { value } = await lease.invoke(event, new AbortController().signal)
  lease.release()
  const { records } = value as Answer
  expect(records.map(({ recordId }) => recordId)).toEqual(event.records.map((r) => r.recordId))
  return records.map(({ result, data, metadata }) => [
    result,
    Buffer.from(data, 'base64').toString(),
    ...(metadata === undefined ? [] : [metadata.partitionKeys]),
  ])
}

test('enrich adds time and region to JSON objects', async () => {
  expect(await transform('enrich', '{"a":1}', '[1]', 'text', '')).toEqual([
    ['Ok', '{"a":1,"receivedAt":"2026-05-28T20:26:40.000Z","region":"us-east-1"}\n'],
    ['ProcessingFailed', '[1]'],
    ['ProcessingFailed', 'text'],
    ['ProcessingFailed', ''],
  ])
})

test('redact blacks out addresses and card numbers', async () => {
  expect(
    await transform('redact', 'to ada.l+x@mail.example.org, 4111 1111 1111 1111', 'order 12345'),
  ).toEqual([
    ['Ok', 'to [email], [card]'],
    ['Ok', 'order 12345'],
  ])
})

test('filter drops debug and trace, and nothing else', async () => {
  expect(
    await transform(
      'filter',
      '{"level":"debug"}',
      '{"level":"error"}',
      '{"level":"trace"}',
      'null',
      'x',
    ),
  ).toEqual([
    ['Dropped', '{"level":"debug"}'],
    ['Ok', '{"level":"error"}'],
    ['Dropped', '{"level":"trace"}'],
    ['Ok', 'null'],
    ['Ok', 'x'],
  ])
})

test('route gives partition keys', async () => {
  const day = '2026-05-28'
  expect(await transform('route', '{"customer":"ada"}', '{"customer":7}', 'null', 'text')).toEqual([
    ['Ok', '{"customer":"ada"}', { customer: 'ada', day }],
    ['Ok', '{"customer":7}', { customer: 'unknown', day }],
    ['Ok', 'null', { customer: 'unknown', day }],
    ['ProcessingFailed', 'text'],
  ])
})

test('csv-to-json reads quoted fields and many lines', async () => {
  expect(
    await transform(
      'csv-to-json',
      '10:00,"Love, ""Ada""",3.5\r\n11:00,,\n',
      'a,b',
      'a,"b,c',
      '"a"b,c,d',
    ),
  ).toEqual([
    [
      'Ok',
      '{"time":"10:00","customer":"Love, \\"Ada\\"","amount":"3.5"}\n' +
        '{"time":"11:00","customer":"","amount":""}\n',
    ],
    ['ProcessingFailed', 'a,b'],
    ['ProcessingFailed', 'a,"b,c'],
    ['ProcessingFailed', '"a"b,c,d'],
  ])
})
