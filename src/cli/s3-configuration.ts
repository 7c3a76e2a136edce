import type {
  CompressionFormat,
  ExtendedS3DestinationUpdate,
  ProcessingConfiguration,
} from '@aws-sdk/client-firehose'
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

/**
 * What the flags say of an S3 destination; what they leave out is left out.
 * @param processing of the stream as it is: an update replaces it, and its other processors are to stay
 */
export function s3Configuration(
  invocation: Invocation,
  processing?: ProcessingConfiguration,
): ExtendedS3DestinationUpdate {
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
    ProcessingConfiguration: delimiter(invocation.flags['delimiter'], processing),
  })
}

function delimiter(
  wanted: unknown,
  processing: ProcessingConfiguration | undefined,
): ProcessingConfiguration | undefined {
  if (wanted === undefined) return undefined
  const atWork = processing?.Enabled === true ? (processing.Processors ?? []) : []
  const Processors = atWork.filter(({ Type }) => Type !== 'AppendDelimiterToRecord')
  if (wanted === false) return { Enabled: Processors.length > 0, Processors }
  const Parameters = [{ ParameterName: 'Delimiter', ParameterValue: String.raw`\n` } as const]
  Processors.push({ Type: 'AppendDelimiterToRecord', Parameters })
  return { Enabled: true, Processors }
}

function withoutAbsent<T extends object>(members: T): T {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T
}
