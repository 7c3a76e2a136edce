import type { JsonObject } from '../../src/base/json.ts'
import type { FaultyS3 } from '../fakes/faulty-s3.ts'
import { eventually } from './harness.ts'
import type { HttpClient } from './http-client.ts'

export function bucketOf(streamName: string): string {
  return `bucket-${streamName}`
}

/** Creates a delivery stream with small buffers into `bucket-<name>` and waits until it is active. */
export async function smallStream(
  client: HttpClient,
  name: string,
  special: JsonObject,
): Promise<void> {
  const ExtendedS3DestinationConfiguration = {
    RoleARN: 'arn:aws:iam::000000000000:role/firehose',
    BucketARN: `arn:aws:s3:::${bucketOf(name)}`,
    BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 1 },
    ...special,
  }
  const input = { DeliveryStreamName: name, ExtendedS3DestinationConfiguration }
  await client.expect('CreateDeliveryStream', input)
  await eventually(`stream ${name} is active`, 10_000, async () => {
    const { DeliveryStreamStatus } = await describe(client, name)
    return DeliveryStreamStatus === 'ACTIVE' ? true : undefined
  })
}

export async function describe(client: HttpClient, name: string): Promise<JsonObject> {
  const answer = await client.expect('DescribeDeliveryStream', { DeliveryStreamName: name })
  return answer['DeliveryStreamDescription'] as JsonObject
}

/** What makes the service deliver to the fake, impatiently. */
export function s3Environment(s3: FaultyS3): Record<string, string> {
  return {
    STANDPIPE_S3_ENDPOINT: s3.endpoint,
    STANDPIPE_S3_REQUEST_TIMEOUT_MS: '500',
    STANDPIPE_RETRY_BACKOFF_FIRST_MS: '20',
    STANDPIPE_RETRY_BACKOFF_MAX_MS: '200',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test-secret',
  }
}
