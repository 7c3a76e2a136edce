/** Where `generate` sends: the service that the other commands talk to, a Kinesis endpoint, or AWS. */
import type { Firehose } from '@aws-sdk/client-firehose'
import { firehoseSink } from '../generator/firehose-sink.ts'
import { kinesisSink } from '../generator/kinesis-sink.ts'
import type { RecordSink } from '../generator/record-sink.ts'
import { CLIENT_HELP, CLIENT_OPTIONS, readConnection } from './client.ts'
import { textFlag, usageError } from './command.ts'
import type { Invocation, Options } from './command.ts'

export const SINK_OPTIONS = {
  ...CLIENT_OPTIONS,
  kinesis: { type: 'boolean' },
  aws: { type: 'boolean' },
} satisfies Options

export const SINK_HELP = `
  --kinesis        put into a Kinesis data stream, by PutRecords; takes --endpoint, else
                   AWS_ENDPOINT_URL_KINESIS, or --aws
  --aws            put into AWS itself: with the credentials, the region and the endpoint that the AWS CLI
                   would take
${CLIENT_HELP}`

export interface OpenedSink extends Disposable {
  readonly sink: RecordSink
  /** As an error names it. */
  readonly service: string
  readonly endpoint: string
}

interface ClientConfiguration {
  /** Left out where the SDK finds it by itself. */
  readonly endpoint?: string
  readonly region?: string
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

/** Sending again is the run's business; a request that hangs must not hold its lane for ever. */
const ONCE = { maxAttempts: 1 }
const TIMEOUTS = { connectionTimeout: 5_000, requestTimeout: 30_000 }

export async function openSink(invocation: Invocation, streamName: string): Promise<OpenedSink> {
  const isKinesis = invocation.flags['kinesis'] === true
  const isAws = invocation.flags['aws'] === true
  const configuration = isAws
    ? awsConfiguration(invocation)
    : endpointConfiguration(invocation, isKinesis)
  const { Firehose } = await import('@aws-sdk/client-firehose')
  const firehose = new Firehose({ ...configuration, ...ONCE, requestHandler: TIMEOUTS })
  if (isAws) await refuseWithoutAccount(firehose)
  const endpoint = configuration.endpoint ?? 'its endpoint'
  if (!isKinesis) {
    return {
      sink: firehoseSink(firehose, streamName),
      service: isAws ? 'AWS' : 'Standpipe',
      endpoint,
      [Symbol.dispose]: () => firehose.destroy(),
    }
  }
  const { Kinesis } = await import('@aws-sdk/client-kinesis')
  // Kinesis' own handler speaks HTTP/2 only, which servers other than AWS do not.
  const { requestHandler } = firehose.config
  const kinesis = new Kinesis({ ...configuration, ...ONCE, requestHandler })
  return {
    sink: kinesisSink(kinesis, streamName),
    service: isAws ? 'AWS' : 'Kinesis',
    endpoint,
    [Symbol.dispose]: () => kinesis.destroy(),
  }
}

function awsConfiguration(invocation: Invocation): ClientConfiguration {
  if (textFlag(invocation, 'endpoint') !== undefined) {
    throw usageError('Cannot use --endpoint: --aws has its own')
  }
  const region = textFlag(invocation, 'region')
  return region === undefined ? {} : { region }
}

/** What the SDK does not find is said before the first record, and in one line. */
async function refuseWithoutAccount({ config }: Firehose): Promise<void> {
  try {
    await Promise.all([config.region(), config.credentials()])
  } catch (error) {
    if (!(error instanceof Error)) throw error
    throw usageError(`Cannot use --aws: ${error.message}`)
  }
}

function endpointConfiguration(invocation: Invocation, isKinesis: boolean): ClientConfiguration {
  const { connection } = readConnection(invocation)
  const { region, accessKeyId, secretAccessKey } = connection
  const endpoint = isKinesis ? kinesisEndpoint(invocation) : connection.endpoint
  return { endpoint, region, credentials: { accessKeyId, secretAccessKey } }
}

function kinesisEndpoint(invocation: Invocation): string {
  const given =
    textFlag(invocation, 'endpoint') ?? invocation.environment['AWS_ENDPOINT_URL_KINESIS']
  if (given) return given
  throw usageError('Cannot use --kinesis: give --endpoint, or --aws')
}
