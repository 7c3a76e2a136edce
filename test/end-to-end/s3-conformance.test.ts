/** The conformance suite of destinations before a real S3 server. */
import { buffer } from 'node:stream/consumers'
import type { Readable } from 'node:stream'
import {
  CreateBucketCommand,
  GetObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, describe } from 'vitest'
import { available } from '../clients/available.ts'
import { FaultProxy } from '../fakes/fault-proxy.ts'
import { startS3Server } from '../servers/s3-server.ts'
import type { S3Server } from '../servers/s3-server.ts'
import { describeDestination, idIn } from './destination-conformance.ts'
import type { DestinationUnderTest } from './destination-conformance.ts'

const server = await startS3Server()

describe.runIf(available('an S3 server', server !== undefined))('S3', () => {
  let client: S3Client | undefined
  afterAll(async () => {
    client?.destroy()
    await server?.[Symbol.asyncDispose]()
  })

  describeDestination(async () => {
    const { endpoint, region, credentials } = server as S3Server
    client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
    return s3UnderTest(server as S3Server, client)
  })
})

async function s3UnderTest(server: S3Server, client: S3Client): Promise<DestinationUnderTest> {
  const port = Number(new URL(server.endpoint).port)
  const proxy = await FaultProxy.start(port)
  return {
    name: 'S3',
    port,
    proxy,
    environment: {
      STANDPIPE_S3_ENDPOINT: `http://127.0.0.1:${proxy.port}`,
      STANDPIPE_REGION: server.region,
      AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    },
    async prepare({ streamName }) {
      await client.send(new CreateBucketCommand({ Bucket: streamName }))
    },
    create: ({ streamName }) => ({
      ExtendedS3DestinationConfiguration: {
        RoleARN: 'arn:aws:iam::000000000000:role/firehose',
        BucketARN: `arn:aws:s3:::${streamName}`,
        BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 1 },
      },
    }),
    update: () => ({ ExtendedS3DestinationUpdate: { Prefix: 'updated/' } }),
    effectMarker: 'PUT /',
    record: (id, padding) => `${id} ${padding}\n`,
    async delivered({ streamName }) {
      const ids: string[] = []
      const pages = paginateListObjectsV2({ client }, { Bucket: streamName })
      for await (const { Contents = [] } of pages) {
        for (const { Key } of Contents) {
          const { Body } = await client.send(new GetObjectCommand({ Bucket: streamName, Key }))
          const text = (await buffer(Body as Readable)).toString()
          ids.push(...text.split('\n').slice(0, -1).map(idIn))
        }
      }
      return ids
    },
    exactlyOnce: true,
    neverGivesUp: true,
    errorOutputType: 'none',
  }
}
