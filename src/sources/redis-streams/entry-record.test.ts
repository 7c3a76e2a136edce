import { expect, test } from 'vitest'
import { recordOf } from './entry-record.ts'
import type { Entry, RecordFormat } from './entry-record.ts'

function entry(...fields: [string, string | Buffer][]): Entry {
  return {
    id: '5-1',
    fields: fields.map(([name, value]) => ({ name, value: Buffer.from(value) })),
  }
}

function text(of: Entry, format: RecordFormat): string {
  return recordOf(of, { format }).data.toString()
}

test('the value is the record where it is alone, or the field is called data', () => {
  expect(text(entry(['payload', 'alone']), 'VALUE')).toBe('alone')
  expect(text(entry(['type', 'order'], ['data', 'chosen']), 'VALUE')).toBe('chosen')
})

test('a value need not be text', () => {
  const bytes = Buffer.from([0, 255, 128, 10])
  expect(recordOf(entry(['data', bytes]), { format: 'VALUE' })).toEqual({
    data: bytes,
    position: '5-1',
  })
})

test('other entries are objects of their fields, in their order, also those that are there twice', () => {
  const fields = entry(['b', 'x"y'], ['7', 'é'], ['a', ''], ['b', 'again'])
  expect(text(fields, 'VALUE')).toBe('{"b":"x\\"y","7":"é","a":"","b":"again"}')
})

test('with the format JSON every entry is an object', () => {
  expect(text(entry(['data', '1']), 'JSON')).toBe('{"data":"1"}')
})

test('metadata has the fields that are not in the data', () => {
  const of = entry(['data', 'x'], ['type', 'order'])
  const metadata = (format: RecordFormat) =>
    recordOf(of, { format, metadataOfKey: 'orders' }).metadata
  const known = { streamKey: 'orders', id: '5-1' }
  expect(metadata('VALUE')).toEqual({
    redisStreamRecordMetadata: { ...known, fields: { type: 'order' } },
  })
  expect(metadata('JSON')).toEqual({ redisStreamRecordMetadata: known })
})
