import { expect, test } from 'vitest'
import { RecordMaker, RecordTooLarge } from './record-maker.ts'
import type { SinkLimits } from './record-sink.ts'

const LIMITS: SinkLimits = { recordsMax: 3, batchBytesMax: 10, recordBytesMax: 6 }

/** Makes these texts in order. */
function makerOf(texts: readonly string[], delimiter = ''): RecordMaker {
  const left = [...texts]
  return new RecordMaker({ template: () => left.shift() ?? '', delimiter }, LIMITS)
}

function textsOf(maker: RecordMaker, countMax: number): string[] {
  return maker.batch(countMax).map(({ data }) => data.toString())
}

test('a batch has what is asked for, but no more records than a request', () => {
  const maker = makerOf(['a', 'b', 'c', 'd', 'e'])
  expect(textsOf(maker, 1)).toEqual(['a'])
  expect(textsOf(maker, 99)).toEqual(['b', 'c', 'd'])
  expect(textsOf(maker, 1)).toEqual(['e'])
})

test('the record that does not fit into a request is the first of the next', () => {
  const maker = makerOf(['12345', '12345', '123', '123456', 'x'])
  expect(textsOf(maker, 3)).toEqual(['12345', '12345'])
  expect(textsOf(maker, 3)).toEqual(['123', '123456', 'x'])
})

test('the delimiter and the partition key count', () => {
  expect(textsOf(makerOf(['1234', '1234', '1234'], '\n'), 3)).toEqual(['1234\n', '1234\n'])
  const form = { template: () => '123', delimiter: '', partitionKey: () => 'é' }
  const records = new RecordMaker(form, LIMITS).batch(3)
  expect(records).toEqual([
    { data: Buffer.from('123'), partitionKey: 'é' },
    { data: Buffer.from('123'), partitionKey: 'é' },
  ])
})

test('a record that no request can hold is an error', () => {
  expect(() => makerOf(['1234567']).batch(1)).toThrow(RecordTooLarge)
  expect(() => makerOf(['1234567']).batch(1)).toThrow(
    'Cannot send a record of 7 bytes: the service takes at most 6',
  )
})
