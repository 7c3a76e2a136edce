import { expect, test } from 'vitest'
import type { JsonObject } from '../base/json.ts'
import { replaceProcessing } from './processing-configuration.ts'
import type { ProcessingPlan } from './processing-plan.ts'
import { processingPlan } from './processing-plan.ts'

const ARN = 'arn:aws:lambda:us-east-1:000000000000:function:enrich'
const CONVERSION = { Enabled: true, SchemaConfiguration: { TableName: 't' } }

function processing(...given: readonly [type: string, ...parameters: [string, string][]][]) {
  const Processors = given.map(([Type, ...parameters]) => ({
    Type,
    Parameters: parameters.map(([ParameterName, ParameterValue]) => ({
      ParameterName,
      ParameterValue,
    })),
  }))
  const rules = {
    roleArn: 'arn:aws:iam::000000000000:role/delivery',
    lambdaBufferSizeInMBs: '0.25',
    canBePartitioned: true,
    strictAws: false,
  } as const
  return {
    ProcessingConfiguration: replaceProcessing(undefined, { Enabled: true, Processors }, rules),
  }
}

const NONE: ProcessingPlan = { decompression: false, partitioned: false }

test.each<[what: string, destination: JsonObject, plan: ProcessingPlan]>([
  [
    'a function with defaults',
    processing(['Lambda', ['LambdaArn', ARN]]),
    { ...NONE, lambda: { arn: ARN, retries: 3, bufferBytes: 262_144 } },
  ],
  [
    'a function with buffer and retries',
    processing([
      'Lambda',
      ['LambdaArn', ARN],
      ['BufferSizeInMBs', '0.2'],
      ['NumberOfRetries', '0'],
    ]),
    { ...NONE, lambda: { arn: ARN, retries: 0, bufferBytes: 209_715 } },
  ],
  [
    'logs of CloudWatch',
    processing(['CloudWatchLogProcessing', ['DataMessageExtraction', 'true']], ['Decompression']),
    { ...NONE, decompression: true, cloudWatchLogs: { messageExtraction: true } },
  ],
  [
    'logs of CloudWatch as they are',
    processing(['Decompression'], ['CloudWatchLogProcessing', ['DataMessageExtraction', 'false']]),
    { ...NONE, decompression: true, cloudWatchLogs: { messageExtraction: false } },
  ],
  [
    'JSON',
    processing(['RecordDeAggregation', ['SubRecordType', 'JSON']]),
    { ...NONE, deaggregation: { subRecordType: 'JSON' } },
  ],
  [
    'DELIMITED',
    processing(['RecordDeAggregation', ['SubRecordType', 'DELIMITED'], ['Delimiter', 'DQo=']]),
    { ...NONE, deaggregation: { subRecordType: 'DELIMITED', delimiter: Buffer.from('\r\n') } },
  ],
  [
    'SQL, and a delimiter that is not for here',
    processing(['AppendDelimiterToRecord'], ['SQL', ['SqlQuery', 'SELECT 1']]),
    { ...NONE, sql: { query: 'SELECT 1' } },
  ],
  [
    'partitions',
    {
      ...processing(['MetadataExtraction', ['MetadataExtractionQuery', '{a:.a}']]),
      DynamicPartitioningConfiguration: { Enabled: true },
    },
    { ...NONE, partitioned: true, metadataExtraction: { query: '{a:.a}' } },
  ],
  [
    'columns',
    { DataFormatConversionConfiguration: CONVERSION },
    { ...NONE, conversion: CONVERSION },
  ],
])('%s', (_, destination, plan) => {
  expect(processingPlan(destination)).toStrictEqual(plan)
})

test.each<[what: string, destination: JsonObject]>([
  ['nothing is said', {}],
  ['there is only a delimiter', processing(['AppendDelimiterToRecord'])],
  [
    'all is switched off',
    {
      ProcessingConfiguration: { Enabled: false, Processors: [{ Type: 'Lambda' }] },
      DynamicPartitioningConfiguration: { Enabled: false },
      DataFormatConversionConfiguration: { Enabled: false },
    },
  ],
])('there is nothing to do when %s', (_, destination) => {
  expect(processingPlan(destination)).toBeUndefined()
})
