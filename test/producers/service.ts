/** What the tests of producers have in common: streams by declaration, a full service, what arrived. */
import { join } from 'node:path'
import { eventually, Service } from '../end-to-end/harness.ts'
import { decompressed, folderObjects } from '../end-to-end/objects.ts'
import { bucketOf } from '../end-to-end/streams.ts'

type Environment = Readonly<Record<string, string>>

const DELIVERY_MS_MAX = 20_000
const MORE_THAN_ANY_DISK_BYTES = 2 ** 50

/** The setting that declares streams into `bucket-<name>`, which deliver every second. */
export function declaredStreams(...names: readonly string[]): Environment {
  const declared = names.map((name) => ({
    DeliveryStreamName: name,
    ExtendedS3DestinationConfiguration: {
      RoleARN: 'arn:aws:iam::000000000000:role/firehose',
      BucketARN: `arn:aws:s3:::${bucketOf(name)}`,
      BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 1 },
    },
  }))
  return { STANDPIPE_DELIVERY_STREAMS: JSON.stringify(declared) }
}

/** A service that refuses every put with ServiceUnavailableException. */
export async function startFull(environment: Environment): Promise<Service> {
  const service = await Service.create({
    environment: { ...environment, STANDPIPE_FREE_BYTES_MIN: String(MORE_THAN_ANY_DISK_BYTES) },
  })
  service.spawn()
  await service.ready('live')
  return service
}

/** All that a stream has delivered, in the order of keys, once there are as many bytes as expected. */
export function delivered(
  { dataDir }: Service,
  streamName: string,
  expected: string | Buffer,
): Promise<string> {
  const folder = join(dataDir, 'buckets', bucketOf(streamName))
  return eventually(`${streamName} is delivered`, DELIVERY_MS_MAX, async () => {
    const objects = await folderObjects(folder)
    const inOrder = objects.toSorted((a, b) => (a.key < b.key ? -1 : 1))
    const bytes = Buffer.concat(inOrder.map(decompressed))
    return bytes.length >= Buffer.byteLength(expected) ? bytes.toString() : undefined
  })
}
