import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import type { ConfigurationContext } from '../../src/destination.ts'
import { ConfigurationError } from '../../src/destination.ts'
import { s3 } from './index.ts'

const CONTEXT: ConfigurationContext = { strictAws: false, objectStoreKind: 's3' }
const ROLE = 'arn:aws:iam::000000000000:role/delivery'
const REQUIRED = { RoleARN: ROLE, BucketARN: 'arn:aws:s3:::logs' }
const BACKUP = { RoleARN: ROLE, BucketARN: 'arn:aws:s3:::backup' }
const STRICT: ConfigurationContext = { strictAws: true, objectStoreKind: 's3' }
const CONVERSION = {
  SchemaConfiguration: { RoleARN: ROLE, DatabaseName: 'db', TableName: 't' },
  InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } },
  OutputFormatConfiguration: { Serializer: { ParquetSerDe: {} } },
}
const FUNCTION = 'arn:aws:lambda:us-east-1:000000000000:function:enrich'
const KMS = 'arn:aws:kms:us-east-1:000000000000:key/k'

const S3_DESCRIPTION = {
  ...REQUIRED,
  BufferingHints: { SizeInMBs: 5, IntervalInSeconds: 300 },
  CompressionFormat: 'UNCOMPRESSED',
  EncryptionConfiguration: { NoEncryptionConfig: 'NoEncryption' },
  CloudWatchLoggingOptions: { Enabled: false },
}
const EXTENDED_DESCRIPTION = {
  ...S3_DESCRIPTION,
  S3BackupMode: 'Disabled',
  CustomTimeZone: 'UTC',
}

function create(members: JsonObject = {}, context = CONTEXT): JsonObject {
  return s3.create('ExtendedS3DestinationConfiguration', { ...REQUIRED, ...members }, context)
}

function update(stored: JsonObject, members: JsonObject, context = CONTEXT): JsonObject {
  return s3.update(stored, 'ExtendedS3DestinationUpdate', members, context)
}

function describeExtended(stored: JsonObject): JsonObject {
  return s3.describe(stored).ExtendedS3DestinationDescription as JsonObject
}

const APPEND_DELIMITER = { Type: 'AppendDelimiterToRecord' }
const processing = (...Processors: JsonObject[]): JsonObject => ({
  ProcessingConfiguration: { Enabled: true, Processors },
})

describe('create and describe', () => {
  test.each(['ExtendedS3DestinationConfiguration', 'S3DestinationConfiguration'])(
    'a minimal %s is described as both, with every default',
    (member) => {
      const stored = s3.create(member, REQUIRED, CONTEXT)
      expect(s3.describe(stored)).toEqual({
        S3DestinationDescription: S3_DESCRIPTION,
        ExtendedS3DestinationDescription: EXTENDED_DESCRIPTION,
      })
    },
  )

  test('everything given is echoed as it was given', () => {
    const shared = {
      ...REQUIRED,
      Prefix: '!{timestamp:yyyy}/',
      ErrorOutputPrefix: 'e/!{firehose:error-output-type}/',
      BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 0 },
      CompressionFormat: 'ZSTD',
      EncryptionConfiguration: { KMSEncryptionConfig: { AWSKMSKeyARN: KMS } },
      CloudWatchLoggingOptions: { Enabled: true, LogGroupName: 'g', LogStreamName: 's' },
    }
    const extended = {
      ...shared,
      ProcessingConfiguration: { Enabled: false, Processors: [{ Type: 'Lambda', Parameters: [] }] },
      S3BackupMode: 'Enabled',
      DataFormatConversionConfiguration: { Enabled: false },
      DynamicPartitioningConfiguration: {
        Enabled: false,
        RetryOptions: { DurationInSeconds: 60 },
      },
      FileExtension: '.json.zst',
      CustomTimeZone: 'Europe/Berlin',
    }
    const stored = create({
      ...extended,
      S3BackupConfiguration: { ...BACKUP, CompressionFormat: 'GZIP' },
    })
    expect(s3.describe(stored)).toEqual({
      S3DestinationDescription: shared,
      ExtendedS3DestinationDescription: {
        ...extended,
        S3BackupDescription: { ...S3_DESCRIPTION, ...BACKUP, CompressionFormat: 'GZIP' },
      },
    })
  })

  test('what Terraform always sends comes back without drift', () => {
    const sent = { CustomTimeZone: 'UTC', FileExtension: '', Prefix: '', ErrorOutputPrefix: '' }
    expect(describeExtended(create(sent))).toEqual({ ...EXTENDED_DESCRIPTION, ...sent })
  })

  test('half a hint is completed with the default', () => {
    const stored = create({ BufferingHints: { IntervalInSeconds: 10 } })
    expect(s3.buffering(stored)).toEqual({ sizeBytesMax: 5 * 1024 * 1024, ageMsMax: 10_000 })
  })

  test('an encryption configuration that says nothing is none', () => {
    expect(describeExtended(create({ EncryptionConfiguration: {} }))).toEqual(EXTENDED_DESCRIPTION)
  })

  test.each([undefined, '\\n', 'Cg=='])(
    'AppendDelimiterToRecord forgets its parameters (Delimiter %j)',
    (delimiter) => {
      const Parameters = [{ ParameterName: 'Delimiter', ParameterValue: delimiter }]
      const processor = delimiter === undefined ? {} : { Parameters }
      const stored = create(processing({ ...APPEND_DELIMITER, ...processor }))
      expect(describeExtended(stored).ProcessingConfiguration).toEqual({
        Enabled: true,
        Processors: [{ Type: 'AppendDelimiterToRecord', Parameters: [] }],
      })
    },
  )

  test('processing that is not switched on is off', () => {
    const stored = create({ ProcessingConfiguration: { Processors: [{ Type: 'Lambda' }] } })
    expect(describeExtended(stored).ProcessingConfiguration).toEqual({
      Enabled: false,
      Processors: [{ Type: 'Lambda' }],
    })
  })

  test("a function runs in the destination's role unless it names one", () => {
    const Parameters = [{ ParameterName: 'LambdaArn', ParameterValue: FUNCTION }]
    const stored = create(processing({ Type: 'Lambda', Parameters }))
    expect(describeExtended(stored).ProcessingConfiguration).toEqual({
      Enabled: true,
      Processors: [
        {
          Type: 'Lambda',
          Parameters: [
            ...Parameters,
            { ParameterName: 'NumberOfRetries', ParameterValue: '3' },
            { ParameterName: 'RoleArn', ParameterValue: ROLE },
            { ParameterName: 'BufferSizeInMBs', ParameterValue: '1' },
            { ParameterName: 'BufferIntervalInSeconds', ParameterValue: '60' },
          ],
        },
      ],
    })
  })
})

describe('data format conversion', () => {
  const converted = (members: JsonObject = {}): JsonObject => ({
    DataFormatConversionConfiguration: CONVERSION,
    ...members,
  })
  const SMALL: JsonObject = { BufferingHints: { SizeInMBs: 5 } }

  test('is on unless it says otherwise, and gets larger buffers', () => {
    const described = describeExtended(create(converted()))
    expect(described).toMatchObject({
      BufferingHints: { SizeInMBs: 128, IntervalInSeconds: 300 },
      DataFormatConversionConfiguration: { ...CONVERSION, Enabled: true },
    })
    expect(
      describeExtended(create(converted({ BufferingHints: { IntervalInSeconds: 9 } }))),
    ).toEqual({ ...described, BufferingHints: { SizeInMBs: 128, IntervalInSeconds: 9 } })
  })

  test('that is off leaves the buffers alone', () => {
    const off = { DataFormatConversionConfiguration: { ...CONVERSION, Enabled: false } }
    expect(describeExtended(create(off))).toEqual({ ...EXTENDED_DESCRIPTION, ...off })
  })

  test('takes a small buffer, but not with the limits of AWS', () => {
    const given = converted(SMALL)
    expect(s3.buffering(create(given)).sizeBytesMax).toBe(5 * 1024 * 1024)
    expect(() => create(given, STRICT)).toThrow(
      'BufferingHints.SizeInMBs must be at least 64 when data format conversion is enabled.',
    )
  })

  test('may be switched on later, and updates merge into it', () => {
    const on = update(create(), converted())
    const off = update(on, { DataFormatConversionConfiguration: { Enabled: false } })
    expect(describeExtended(off)).toEqual({
      ...EXTENDED_DESCRIPTION,
      DataFormatConversionConfiguration: { ...CONVERSION, Enabled: false },
    })
  })

  test.each<[message: string, members: JsonObject]>([
    [
      'CompressionFormat must be UNCOMPRESSED when data format conversion is enabled.',
      { CompressionFormat: 'GZIP' },
    ],
    [
      'AppendDelimiterToRecord is not supported with data format conversion: Parquet has no delimiter',
      processing(APPEND_DELIMITER),
    ],
  ])('refused: %s', (message, members) => {
    expect(() => create(converted(members))).toThrow(new ConfigurationError(message))
    expect(() => update(create(converted()), members)).toThrow(message)
    expect(() => update(create(members), converted())).toThrow(message)
  })
})

describe('update', () => {
  const stored = create({
    Prefix: 'p/',
    BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 60 },
    CloudWatchLoggingOptions: { Enabled: true, LogGroupName: 'g', LogStreamName: 's' },
    FileExtension: '.log',
    ...processing(APPEND_DELIMITER),
  })
  const before = describeExtended(stored)

  test.each([
    {},
    { Prefix: 'p/' },
    { BufferingHints: { SizeInMBs: 1 } },
    processing(APPEND_DELIMITER),
  ])('%j changes nothing', (members) => {
    expect(update(stored, members)).toBe(stored)
  })

  test.each<[members: JsonObject, changed: JsonObject]>([
    [{ CompressionFormat: 'GZIP' }, { CompressionFormat: 'GZIP' }],
    [{ Prefix: '' }, { Prefix: '' }],
    [{ FileExtension: '' }, { FileExtension: '' }],
    [{ CustomTimeZone: 'Asia/Tokyo' }, { CustomTimeZone: 'Asia/Tokyo' }],
    [
      { BufferingHints: { IntervalInSeconds: 0 } },
      { BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 0 } },
    ],
    [
      { CloudWatchLoggingOptions: { LogStreamName: 't' } },
      { CloudWatchLoggingOptions: { Enabled: true, LogGroupName: 'g', LogStreamName: 't' } },
    ],
    [
      { EncryptionConfiguration: { KMSEncryptionConfig: { AWSKMSKeyARN: KMS } } },
      { EncryptionConfiguration: { KMSEncryptionConfig: { AWSKMSKeyARN: KMS } } },
    ],
    [
      { ProcessingConfiguration: { Enabled: false } },
      { ProcessingConfiguration: { Enabled: false, Processors: [] } },
    ],
    [{ S3BackupUpdate: BACKUP }, { S3BackupDescription: { ...S3_DESCRIPTION, ...BACKUP } }],
    [
      { S3BackupMode: 'Enabled', S3BackupUpdate: { ...BACKUP, CompressionFormat: 'ZIP' } },
      {
        S3BackupMode: 'Enabled',
        S3BackupDescription: { ...S3_DESCRIPTION, ...BACKUP, CompressionFormat: 'ZIP' },
      },
    ],
  ])('%j replaces or merges, and leaves the rest', (members, changed) => {
    expect(describeExtended(update(stored, members))).toEqual({ ...before, ...changed })
  })

  test('omitted Enabled leaves processing on, and then it needs a processor', () => {
    expect(() => update(stored, { ProcessingConfiguration: {} })).toThrow(
      'A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is enabled.',
    )
  })

  test('an S3DestinationUpdate keeps what only the extended form has', () => {
    const updated = s3.update(stored, 'S3DestinationUpdate', { Prefix: 'q/' }, CONTEXT)
    expect(describeExtended(updated)).toEqual({ ...before, Prefix: 'q/' })
  })

  test('a backup is updated member by member', () => {
    const backed = create({ S3BackupMode: 'Enabled', S3BackupConfiguration: BACKUP })
    const updated = update(backed, { S3BackupUpdate: { BufferingHints: { SizeInMBs: 9 } } })
    expect(describeExtended(updated).S3BackupDescription).toEqual({
      ...S3_DESCRIPTION,
      ...BACKUP,
      BufferingHints: { SizeInMBs: 9, IntervalInSeconds: 300 },
    })
  })

  test('a prefix is checked together with the error prefix that is there', () => {
    expect(() => update(stored, { Prefix: '!{timestamp:yyyy}/' })).toThrow(
      'ErrorOutputPrefix cannot be null or empty when Prefix contains expressions',
    )
  })

  test('with the limits of AWS, Decompression needs what may come compressed before', () => {
    const decompression = processing({ Type: 'Decompression' })
    expect(() => update(stored, decompression, STRICT)).toThrow(
      'DecompressionProcessor can only be enabled on a Firehose that has',
    )
    expect(update(create(decompression), decompression, STRICT)).toEqual(create(decompression))
  })

  test('a backup cannot be switched off', () => {
    const backed = create({ S3BackupMode: 'Enabled', S3BackupConfiguration: BACKUP })
    expect(() => update(backed, { S3BackupMode: 'Disabled' })).toThrow(
      new ConfigurationError('Disabling S3 backup is not currently supported.'),
    )
  })
})

describe('refusals', () => {
  const delimiter = (ParameterValue: string): JsonObject => ({
    ...APPEND_DELIMITER,
    Parameters: [{ ParameterName: 'Delimiter', ParameterValue }],
  })
  const FOLDER: ConfigurationContext = { strictAws: false, objectStoreKind: 'folder' }
  const COUNT =
    'A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is enabled.'

  test.each<[message: string, members: JsonObject, context?: ConfigurationContext]>([
    ['BufferingHints.SizeInMBs must be between 1 and 128', { BufferingHints: { SizeInMBs: 129 } }],
    [
      'BufferingHints.IntervalInSeconds must be between 0 and 900',
      { BufferingHints: { IntervalInSeconds: 901 } },
    ],
    ["Invalid CompressionFormat 'gzip'", { CompressionFormat: 'gzip' }],
    ["Invalid CompressionFormat 'constructor'", { CompressionFormat: 'constructor' }],
    ["Invalid CompressionFormat 'ZSTD'", { CompressionFormat: 'ZSTD' }, STRICT],
    ["Invalid FileExtension '.a/b'", { FileExtension: '.a/b' }],
    ["Invalid FileExtension 'gz'", { FileExtension: 'gz' }],
    ["Invalid time zone 'Mars/Base'", { CustomTimeZone: 'Mars/Base' }],
    [
      'Only one of NoEncryptionConfig and KMSEncryptionConfig can be specified',
      {
        EncryptionConfiguration: {
          NoEncryptionConfig: 'NoEncryption',
          KMSEncryptionConfig: { AWSKMSKeyARN: KMS },
        },
      },
    ],
    [
      'KMSEncryptionConfig is not supported where buckets are folders',
      { EncryptionConfiguration: { KMSEncryptionConfig: { AWSKMSKeyARN: KMS } } },
      FOLDER,
    ],
    [
      'LogGroupName and LogStreamName must be specified when CloudWatchLoggingOptions is enabled',
      { CloudWatchLoggingOptions: { Enabled: true, LogGroupName: '', LogStreamName: 's' } },
    ],
    [COUNT, processing()],
    [COUNT, processing(...Array.from({ length: 6 }, () => APPEND_DELIMITER))],
    [
      'Cannot have more than 1 AppendDelimiterToRecord processor',
      processing(APPEND_DELIMITER, APPEND_DELIMITER),
    ],
    [
      String.raw`Parameter Delimiter of the AppendDelimiterToRecord processor must be \n or Cg==`,
      processing(delimiter(',')),
    ],
    [
      'S3BackupConfiguration must be specified when S3BackupMode is Enabled',
      { S3BackupMode: 'Enabled' },
    ],
    [
      'S3BackupConfiguration must have a RoleARN and a BucketARN',
      { S3BackupConfiguration: { RoleARN: ROLE } },
    ],
    [
      'ErrorOutputPrefix cannot be null or empty when Prefix contains expressions',
      { S3BackupConfiguration: { ...BACKUP, Prefix: '!{timestamp:yyyy}' } },
    ],
    [
      'BufferingHints.IntervalInSeconds of a backup must be at least 60',
      { S3BackupConfiguration: { ...BACKUP, BufferingHints: { IntervalInSeconds: 59 } } },
      STRICT,
    ],
    ["The prefix part 'xx", { Prefix: `a/${'x'.repeat(101)}/b/` }, FOLDER],
  ])('%s', (message, members, context = CONTEXT) => {
    const attempt = (): JsonObject => create(members, context)
    expect(attempt).toThrow(ConfigurationError)
    expect(attempt).toThrow(message)
  })

  test.each(['s3', 'folder'] as const)('a prefix may look like any path in a %s', (kind) => {
    const Prefix = `/a//../${'x'.repeat(100)}/`
    const stored = create({ Prefix }, { strictAws: false, objectStoreKind: kind })
    expect(describeExtended(stored).Prefix).toBe(Prefix)
  })
})
