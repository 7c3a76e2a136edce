import {
  CreateBucketCommand,
  GetObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3'
import type { S3Server } from '../servers/s3-server.ts'
import type { DeliveredObject } from './objects.ts'
import { bucketOf } from './streams.ts'

/** Buckets of a real S3 server, one for each stream; ends with the server. */
export class S3Buckets implements AsyncDisposable {
  readonly environment: Readonly<Record<string, string>>
  readonly #client: S3Client
  readonly #server: S3Server

  constructor(server: S3Server) {
    const { endpoint, region, credentials } = server
    this.#server = server
    this.#client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
    this.environment = {
      STANDPIPE_S3_ENDPOINT: endpoint,
      STANDPIPE_RETRY_BACKOFF_FIRST_MS: '20',
      STANDPIPE_RETRY_BACKOFF_MAX_MS: '200',
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_REGION: region,
    }
  }

  get port(): number {
    return Number(new URL(this.#server.endpoint).port)
  }

  async create(streamName: string): Promise<void> {
    await this.#client.send(new CreateBucketCommand({ Bucket: bucketOf(streamName) }))
  }

  async objects(streamName: string): Promise<DeliveredObject[]> {
    const Bucket = bucketOf(streamName)
    const objects: DeliveredObject[] = []
    for await (const { Contents = [] } of paginateListObjectsV2(
      { client: this.#client },
      { Bucket },
    )) {
      for (const { Key: key = '' } of Contents) {
        const { Body } = await this.#client.send(new GetObjectCommand({ Bucket, Key: key }))
        objects.push({ key, bytes: Buffer.from((await Body?.transformToByteArray()) ?? []) })
      }
    }
    return objects
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy()
    await this.#server[Symbol.asyncDispose]()
  }
}
