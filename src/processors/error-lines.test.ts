import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ProcessingFailure, ProcessingRecord } from '../processor.ts'
import { errorLine } from './error-lines.ts'

const ARN = 'arn:aws:lambda:us-east-1:000000000000:function:enrich:$LATEST'
const RECORD: ProcessingRecord = {
  ordinal: 7,
  arrivalMs: 1_783_952_116_000,
  data: Buffer.from('as far as it came'),
  original: Buffer.from([0xff, 0x00, 0x61]),
}
const FAILURE: ProcessingFailure = {
  errorOutputType: 'processing-failed',
  errorCode: 'Lambda.FunctionError',
  errorMessage: 'The "function"\nfailed',
  attemptsMade: 4,
  atMs: 1_783_952_176_000,
  members: { lambdaARN: ARN },
}

test.each<[ProcessingFailure['errorOutputType'], Partial<ProcessingFailure>, string]>([
  [
    'processing-failed',
    {},
    '{"rawData":"/wBh","errorCode":"Lambda.FunctionError","errorMessage":"The \\"function\\"\\nfailed",' +
      '"attemptsMade":4,"arrivalTimestamp":1783952116000,"attemptEndingTimestamp":1783952176000,' +
      `"lambdaARN":"${ARN}"}\n`,
  ],
  [
    'decompression-failed',
    {
      errorCode: 'Decompression failed.',
      errorMessage: 'It is not gzip',
      attemptsMade: 1,
      members: {},
    },
    '{"rawData":"/wBh","errorCode":"Decompression failed.","errorMessage":"It is not gzip",' +
      '"attemptsMade":1,"arrivalTimestamp":1783952116000,"attemptEndingTimestamp":1783952176000}\n',
  ],
  [
    'activePartitionExceeded',
    {
      errorCode: 'DynamicPartitioning.ActivePartitionsLimitExceeded',
      errorMessage: 'Too many',
      attemptsMade: 1,
      members: {},
    },
    '{"rawData":"/wBh","errorCode":"DynamicPartitioning.ActivePartitionsLimitExceeded",' +
      '"errorMessage":"Too many","attemptsMade":1,"arrivalTimestamp":1783952116000,' +
      '"attemptEndingTimestamp":1783952176000}\n',
  ],
  [
    'format-conversion-failed',
    {
      errorCode: 'DataFormatConversion.ParseError',
      errorMessage: 'No JSON',
      attemptsMade: 1,
      members: {
        sequenceNumber: '49',
        subSequenceNumber: 0,
        dataCatalogTable: { catalogId: '000000000000', databaseName: 'db', tableName: 't' },
      },
    },
    '{"attemptsMade":1,"arrivalTimestamp":1783952116000,' +
      '"lastErrorCode":"DataFormatConversion.ParseError","lastErrorMessage":"No JSON",' +
      '"attemptEndingTimestamp":1783952176000,"rawData":"/wBh","sequenceNumber":"49",' +
      '"subSequenceNumber":0,"dataCatalogTable":{"catalogId":"000000000000","databaseName":"db",' +
      '"tableName":"t"}}\n',
  ],
])("a line of %s is AWS's, byte for byte", (errorOutputType, members, expected) => {
  expect(errorLine(RECORD, { ...FAILURE, errorOutputType, ...members })).toBe(expected)
})

test('whatever the record and the message, it is one line that holds the record', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.string({ unit: 'binary' }), (bytes, errorMessage) => {
      const original = Buffer.from(bytes)
      const line = errorLine({ ...RECORD, original }, { ...FAILURE, errorMessage })
      expect(line.indexOf('\n')).toBe(line.length - 1)
      const { rawData } = JSON.parse(line) as { rawData: string }
      expect(Buffer.from(rawData, 'base64').equals(original)).toBe(true)
    }),
  )
})
