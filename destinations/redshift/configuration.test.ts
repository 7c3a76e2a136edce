import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import type { ConfigurationContext } from '../../src/destination.ts'
import { ConfigurationError } from '../../src/destination.ts'
import { redshift } from './index.ts'

const CONTEXT: ConfigurationContext = { strictAws: false, objectStoreKind: 's3' }
const STRICT: ConfigurationContext = { ...CONTEXT, strictAws: true }
const FOLDER: ConfigurationContext = { ...CONTEXT, objectStoreKind: 'folder' }
const ROLE = 'arn:aws:iam::000000000000:role/delivery'
const S3 = { RoleARN: ROLE, BucketARN: 'arn:aws:s3:::staging' }
const POSTGRES = 'jdbc:postgresql://127.0.0.1:5432/db'
const REDSHIFT = 'jdbc:redshift://c.x.us-east-1.redshift.amazonaws.com:5439/dev'
const REQUIRED = {
  RoleARN: ROLE,
  ClusterJDBCURL: REDSHIFT,
  CopyCommand: { DataTableName: 'events' },
  Username: 'loader',
  Password: 'secret-word',
  S3Configuration: S3,
}
const S3_DESCRIPTION = {
  ...S3,
  BufferingHints: { SizeInMBs: 5, IntervalInSeconds: 300 },
  CompressionFormat: 'UNCOMPRESSED',
  EncryptionConfiguration: { NoEncryptionConfig: 'NoEncryption' },
  CloudWatchLoggingOptions: { Enabled: false },
}
const DESCRIPTION = {
  RoleARN: ROLE,
  ClusterJDBCURL: REDSHIFT,
  CopyCommand: { DataTableName: 'events' },
  Username: 'loader',
  RetryOptions: { DurationInSeconds: 3_600 },
  S3BackupMode: 'Disabled',
  CloudWatchLoggingOptions: { Enabled: false },
  S3DestinationDescription: S3_DESCRIPTION,
}

function create(members: JsonObject = {}, context = CONTEXT): JsonObject {
  const given = { ...REQUIRED, ...members }
  return redshift.create('RedshiftDestinationConfiguration', given, context)
}

function update(stored: JsonObject, members: JsonObject): JsonObject {
  return redshift.update(stored, 'RedshiftDestinationUpdate', members, CONTEXT)
}

function describeStored(stored: JsonObject): JsonObject {
  return redshift.describe(stored).RedshiftDestinationDescription as JsonObject
}

test('a minimal configuration is described with every default, and without its password', () => {
  expect(redshift.describe(create())).toEqual({ RedshiftDestinationDescription: DESCRIPTION })
})

test('everything given is echoed', () => {
  const given = {
    CopyCommand: { DataTableName: 's.t', DataTableColumns: 'a, b', CopyOptions: "CSV NULL AS ''" },
    RetryOptions: { DurationInSeconds: 0 },
    S3BackupMode: 'Enabled',
    CloudWatchLoggingOptions: { Enabled: true, LogGroupName: 'g', LogStreamName: 's' },
    ProcessingConfiguration: { Enabled: false, Processors: [] },
    SecretsManagerConfiguration: { Enabled: true, SecretARN: 'arn:secret', RoleARN: ROLE },
  }
  const stored = create({ ...given, S3BackupConfiguration: { ...S3, Prefix: 'raw/' } })
  expect(describeStored(stored)).toEqual({
    ...DESCRIPTION,
    ...given,
    S3BackupDescription: { ...S3_DESCRIPTION, Prefix: 'raw/' },
  })
})

test('the hints of the S3 configuration are those of the stream', () => {
  const BufferingHints = { SizeInMBs: 1, IntervalInSeconds: 60 }
  const stored = create({ S3Configuration: { ...S3, BufferingHints } })
  expect(redshift.buffering(stored)).toEqual({ sizeBytesMax: 1024 * 1024, ageMsMax: 60_000 })
})

describe('update', () => {
  const stored = create()

  test.each([{}, { Username: 'loader' }, { S3Update: { BufferingHints: { SizeInMBs: 5 } } }])(
    '%j changes nothing',
    (members) => {
      expect(update(stored, members)).toBe(stored)
    },
  )

  test.each<[members: JsonObject, changed: JsonObject]>([
    [
      { CopyCommand: { DataTableName: 'other', CopyOptions: 'CSV' } },
      { CopyCommand: { DataTableName: 'other', CopyOptions: 'CSV' } },
    ],
    [{ RetryOptions: { DurationInSeconds: 5 } }, { RetryOptions: { DurationInSeconds: 5 } }],
    [
      { S3Update: { Prefix: 'p/' } },
      { S3DestinationDescription: { ...S3_DESCRIPTION, Prefix: 'p/' } },
    ],
    [
      { S3BackupMode: 'Enabled', S3BackupUpdate: S3 },
      { S3BackupMode: 'Enabled', S3BackupDescription: S3_DESCRIPTION },
    ],
  ])('%j replaces or merges, and leaves the rest', (members, changed) => {
    expect(describeStored(update(stored, members))).toEqual({ ...DESCRIPTION, ...changed })
  })

  test('the password is kept, and can be changed', () => {
    const passwords = [
      update(stored, { Username: 'other' }),
      update(stored, { Password: 'next-word' }),
    ]
    expect(passwords.map(({ Password }) => Password)).toEqual(['secret-word', 'next-word'])
  })

  test('a backup cannot be switched off', () => {
    const backed = create({ S3BackupMode: 'Enabled', S3BackupConfiguration: S3 })
    expect(() => update(backed, { S3BackupMode: 'Disabled' })).toThrow(
      'Disabling S3 backup is not currently supported.',
    )
  })

  test('a stream stays with its kind of database', () => {
    expect(() => update(stored, { ClusterJDBCURL: POSTGRES })).toThrow(
      'ClusterJDBCURL cannot change between Redshift and PostgreSQL',
    )
  })
})

describe('refusals', () => {
  const copy = (CopyOptions: string, members: JsonObject = {}): JsonObject => ({
    ClusterJDBCURL: POSTGRES,
    CopyCommand: { DataTableName: 'events', CopyOptions },
    ...members,
  })
  const compressed = (CompressionFormat: string) => ({
    S3Configuration: { ...S3, CompressionFormat },
  })

  test.each<[message: string, members: JsonObject, context?: ConfigurationContext]>([
    [
      "Invalid ClusterJDBCURL 'jdbc:redshift://host/db'",
      { ClusterJDBCURL: 'jdbc:redshift://host/db' },
    ],
    ["Invalid DataTableName 'a.b.c'", { CopyCommand: { DataTableName: 'a.b.c' } }],
    ["Invalid DataTableName 'a; drop'", { CopyCommand: { DataTableName: 'a; drop' } }],
    [
      "Invalid DataTableColumns: the column 'a' is named twice",
      { CopyCommand: { DataTableName: 'a', DataTableColumns: 'a,A' } },
    ],
    [
      "CopyOptions cannot be read from '; DROP TABLE x' on",
      copy('CSV; DROP TABLE x', { ClusterJDBCURL: REDSHIFT }),
    ],
    [
      'The COPY option UPSERT is not supported on Redshift',
      copy('UPSERT (a)', { ClusterJDBCURL: REDSHIFT }),
    ],
    ['Redshift is not supported where buckets are folders: it loads from S3', {}, FOLDER],
    ['The COPY option REMOVEQUOTES is not supported on PostgreSQL', copy('REMOVEQUOTES')],
    [
      'The CompressionFormat ZIP cannot be specified',
      copy('ZIP', { ...compressed('ZIP'), ClusterJDBCURL: REDSHIFT }),
    ],
    ['CopyOptions must contain GZIP when CompressionFormat is GZIP', compressed('GZIP')],
    ['The COPY option GZIP requires the CompressionFormat GZIP on PostgreSQL', copy('GZIP')],
    [
      'SecretsManagerConfiguration must have a SecretARN when enabled',
      { SecretsManagerConfiguration: { Enabled: true } },
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
      'Prefix cannot contain expressions and ErrorOutputPrefix must be null',
      { S3Configuration: { ...S3, ErrorOutputPrefix: 'e/' } },
      STRICT,
    ],
  ])('%s', (message, members, context = CONTEXT) => {
    const attempt = (): JsonObject => create(members, context)
    expect(attempt).toThrow(ConfigurationError)
    expect(attempt).toThrow(message)
  })

  test('without username and password, only with the limits of AWS', () => {
    const { Username: _user, Password: _password, ...members } = REQUIRED
    const attempt = (context: ConfigurationContext) => () =>
      redshift.create('RedshiftDestinationConfiguration', members, context)
    expect(attempt(CONTEXT)).not.toThrow()
    expect(attempt(STRICT)).toThrow('Username and Password must be specified')
  })
})
