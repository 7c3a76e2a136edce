import type { CompressionFormat, ExtendedS3DestinationUpdate } from '@aws-sdk/client-firehose'
import { integerFlag, textFlag } from './command.ts'
import type { Invocation, Options } from './command.ts'

export const S3_OPTIONS = {
  bucket: { type: 'string' },
  prefix: { type: 'string' },
  'error-prefix': { type: 'string' },
  compression: { type: 'string' },
  'buffer-mb': { type: 'string' },
  'buffer-seconds': { type: 'string' },
  delimiter: { type: 'boolean' },
} satisfies Options

/** What the flags say of an S3 destination; what they leave out is left out. */
export function s3Configuration(invocation: Invocation): ExtendedS3DestinationUpdate {
  const bucket = textFlag(invocation, 'bucket')
  const hints = {
    SizeInMBs: integerFlag(invocation, 'buffer-mb'),
    IntervalInSeconds: integerFlag(invocation, 'buffer-seconds'),
  }
  return withoutAbsent({
    BucketARN: bucket === undefined ? undefined : `arn:aws:s3:::${bucket}`,
    Prefix: textFlag(invocation, 'prefix'),
    ErrorOutputPrefix: textFlag(invocation, 'error-prefix'),
    CompressionFormat: textFlag(invocation, 'compression') as CompressionFormat | undefined,
    BufferingHints:
      hints.SizeInMBs === undefined && hints.IntervalInSeconds === undefined
        ? undefined
        : withoutAbsent(hints),
    ProcessingConfiguration: delimiter(invocation.flags['delimiter']),
  })
}

function delimiter(wanted: unknown): ExtendedS3DestinationUpdate['ProcessingConfiguration'] {
  if (wanted === undefined) return undefined
  if (wanted === false) return { Enabled: false, Processors: [] }
  const Parameters = [{ ParameterName: 'Delimiter', ParameterValue: String.raw`\n` } as const]
  return { Enabled: true, Processors: [{ Type: 'AppendDelimiterToRecord', Parameters }] }
}

function withoutAbsent<T extends object>(members: T): T {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T
}
