import { createHash } from 'node:crypto'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { startS3Server } from '../../test/servers/s3-server.ts'
import { BufferingHints, S3Configuration } from './destination-bench.ts'
import type { DestinationPlan } from './destination-bench.ts'

/** Uncompressed, so that it is the destination that is measured. */
export const s3: DestinationPlan = {
  name: 'S3',
  recordCount: 200_000,
  needs: 'Go, for versitygw, or Python, for SeaweedFS',
  async open() {
    const server = await startS3Server()
    if (server === undefined) return undefined
    const { endpoint, region, credentials } = server
    const client = new S3Client({
      endpoint,
      region,
      credentials,
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
    })
    const bucket = 'bench'
    await client.send(new CreateBucketCommand({ Bucket: bucket }))
    let objectCount = 0
    return {
      environment: {
        STANDPIPE_S3_ENDPOINT: endpoint,
        STANDPIPE_REGION: region,
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      },
      stream: { ExtendedS3DestinationConfiguration: { ...S3Configuration, BufferingHints } },
      bareSends: async (batches) =>
        batches.map((batch) => {
          const Body = Buffer.concat(batch)
          const Key = `bare/${(objectCount += 1)}`
          const ChecksumSHA256 = createHash('sha256').update(Body).digest('base64')
          return () =>
            client.send(
              new PutObjectCommand({ Bucket: bucket, Key, Body, ChecksumSHA256, IfNoneMatch: '*' }),
            )
        }),
      async [Symbol.asyncDispose]() {
        client.destroy()
        await server[Symbol.asyncDispose]()
      },
    }
  },
}
