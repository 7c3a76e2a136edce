/** What Terraform and its like depend on: a stream is described as it was asked for, to the letter. */
import type {
  ExtendedS3DestinationConfiguration,
  ExtendedS3DestinationDescription,
  Processor,
} from '@aws-sdk/client-firehose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  DESTINATION_ID,
  eachRecord,
  functionArn,
  processing,
  ProcessingService,
  processor,
  ROLE,
  s3Configuration,
} from './processing-service.ts'

let standpipe: ProcessingService
beforeAll(async () => {
  standpipe = await ProcessingService.start(
    { 'enrich.mjs': eachRecord('ok(text)') },
    {
      STANDPIPE_TABLES: JSON.stringify([
        { database: 'sales', table: 'orders', createTable: 'CREATE TABLE orders (id bigint)' },
      ]),
    },
  )
})
afterAll(async () => standpipe?.[Symbol.asyncDispose]())

const PARTITIONED = {
  Prefix: 'data/!{partitionKeyFromQuery:day}/!{partitionKeyFromLambda:who}/',
  DynamicPartitioningConfiguration: { Enabled: true, RetryOptions: { DurationInSeconds: 60 } },
}

/** By what is special; with all defaults given, in an order that is not ours. */
const CONFIGURATIONS: Readonly<Record<string, Partial<ExtendedS3DestinationConfiguration>>> = {
  lambda: processing(
    processor('Lambda', {
      BufferSizeInMBs: '1',
      LambdaArn: `${functionArn('enrich')}:$LATEST`,
      RoleArn: ROLE,
      BufferIntervalInSeconds: '60',
      NumberOfRetries: '3',
    }),
  ),
  'lambda-defaults': processing(processor('Lambda', { LambdaArn: functionArn('enrich') })),
  partitioned: {
    ...PARTITIONED,
    ...processing(
      processor('AppendDelimiterToRecord'),
      processor('RecordDeAggregation', { SubRecordType: 'DELIMITED', Delimiter: 'fA==' }),
      processor('MetadataExtraction', {
        JsonParsingEngine: 'JQ-1.6',
        MetadataExtractionQuery: '{day: .at[0:10]}',
      }),
      processor('Lambda', { LambdaArn: functionArn('enrich') }),
    ),
  },
  logs: processing(
    processor('Decompression', { CompressionFormat: 'GZIP' }),
    processor('CloudWatchLogProcessing', { DataMessageExtraction: 'true' }),
  ),
  'switched-off': {
    ProcessingConfiguration: {
      Enabled: false,
      Processors: [processor('Lambda', { LambdaArn: functionArn('nobody') })],
    },
  },
  converted: {
    DataFormatConversionConfiguration: {
      Enabled: true,
      SchemaConfiguration: { RoleARN: ROLE, DatabaseName: 'sales', TableName: 'orders' },
      InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: { CaseInsensitive: true } } },
      OutputFormatConfiguration: { Serializer: { ParquetSerDe: { Compression: 'GZIP' } } },
    },
  },
}

test.each(Object.entries(CONFIGURATIONS))('%s', async (name, special) => {
  await standpipe.createS3Stream(name, s3Configuration(name, special))
  const first = await destinationOf(name)
  // Nothing that was asked for is told otherwise: no drift.
  expect(first).toMatchObject(withDefaults(special))

  const again = `${name}-again`
  await standpipe.createS3Stream(again, configurationOf(first))
  expect(await destinationOf(again)).toEqual(first)

  // An apply that changes nothing.
  await standpipe.firehose.updateDestination({
    DeliveryStreamName: name,
    CurrentDeliveryStreamVersionId: '1',
    DestinationId: DESTINATION_ID,
    ExtendedS3DestinationUpdate: configurationOf(first),
  })
  expect(await destinationOf(name)).toEqual(first)
})

async function destinationOf(name: string): Promise<ExtendedS3DestinationDescription> {
  const { DeliveryStreamDescription } = await standpipe.firehose.describeDeliveryStream({
    DeliveryStreamName: name,
  })
  const { ExtendedS3DestinationDescription: described } =
    DeliveryStreamDescription?.Destinations?.[0] ?? {}
  if (described === undefined) throw new Error(`${name} is described without its destination`)
  return described
}

/** As Terraform reads a stream into its state, and asks for it again. */
function configurationOf(
  description: ExtendedS3DestinationDescription,
): ExtendedS3DestinationConfiguration {
  const { S3BackupDescription: _, ...described } = description
  return described
}

/** What AWS fills in, or forgets: the parameters of AppendDelimiterToRecord. */
function withDefaults(
  special: Partial<ExtendedS3DestinationConfiguration>,
): Partial<ExtendedS3DestinationConfiguration> {
  const { ProcessingConfiguration: given } = special
  if (given?.Enabled !== true) return special
  const Processors = given.Processors?.map(completed) ?? []
  return { ...special, ProcessingConfiguration: { Enabled: true, Processors } }
}

function completed({ Type, Parameters = [] }: Processor): Processor {
  if (Type !== 'Lambda' || Parameters.length > 1) return { Type, Parameters }
  return processor('Lambda', {
    LambdaArn: functionArn('enrich'),
    NumberOfRetries: '3',
    RoleArn: ROLE,
    BufferSizeInMBs: '1',
    BufferIntervalInSeconds: '60',
  })
}
