/** Streams of the cluster tests: where each delivers to, and what is found there. */
import { Client } from 'pg'
import type { JsonObject } from '../../src/base/json.ts'
import { LANES_TAG } from '../../src/delivery-stream.ts'
import type { FaultyS3 } from '../fakes/faulty-s3.ts'
import type { OpenSearchServer } from '../servers/opensearch.ts'
import type { PostgresServer } from '../servers/postgres.ts'
import { settledBooks } from './books.ts'
import { bookProblems, judge } from './crash-run.ts'
import { eventually } from './harness.ts'
import type { HttpClient } from './http-client.ts'
import type { Finding, Ledger } from './ledger.ts'
import { decompressed, s3Objects } from './objects.ts'
import type { DeliveredObject } from './objects.ts'
import { bucketOf, describe } from './streams.ts'
import { idsIn, lineOf } from './traffic.ts'

export interface StreamVerdict {
  readonly findings: readonly Finding[]
  readonly bookProblems: readonly string[]
  readonly acknowledgedCount: number
}

export interface TestedStream {
  readonly name: string
  /** What CreateDeliveryStream takes beside the name. */
  readonly input: JsonObject
  recordOf(id: string, padBytes: number): Buffer
  /** Every id that is found, as often as it is found. */
  delivered(): Promise<string[]>
  /** Waits until all is delivered, as the node says, and compares. */
  judge(client: HttpClient, ledger: Ledger): Promise<StreamVerdict>
}

const ROLE = 'arn:aws:iam::000000000000:role/firehose'
const SMALL = { SizeInMBs: 1, IntervalInSeconds: 1 }

/** Into a bucket, whose objects `read` gives. */
export function bucketStream(
  name: string,
  special: JsonObject,
  read: () => Promise<DeliveredObject[]> | DeliveredObject[],
  laneCount = 1,
): TestedStream {
  return {
    name,
    input: {
      ExtendedS3DestinationConfiguration: {
        RoleARN: ROLE,
        BucketARN: `arn:aws:s3:::${bucketOf(name)}`,
        BufferingHints: SMALL,
        ...special,
      },
      Tags: [{ Key: LANES_TAG, Value: String(laneCount) }],
    },
    recordOf: lineOf,
    delivered: async () => (await read()).flatMap((object) => idsIn(decompressed(object))),
    judge: (client, ledger) => judge(client, name, ledger, read),
  }
}

/** Into the fake, which also knows what was overwritten. */
export function fakeBucketStream(
  s3: FaultyS3,
  name: string,
  special: JsonObject = {},
  laneCount = 1,
): TestedStream {
  const bucket = s3.bucket(bucketOf(name))
  const stream = bucketStream(name, special, () => s3Objects(bucket), laneCount)
  return {
    ...stream,
    async judge(client, ledger) {
      const verdict = await stream.judge(client, ledger)
      const rewritten = bucket.rewrittenKeys().map((key) => `${key} was written again`)
      return { ...verdict, bookProblems: [...verdict.bookProblems, ...rewritten] }
    },
  }
}

export function searchStream(server: OpenSearchServer, name: string): TestedStream {
  const delivered = async (): Promise<string[]> => {
    const documents = await server.documents(`${name}-*`)
    return documents.map(({ _source }) => _source['id'] as string)
  }
  return {
    name,
    delivered,
    input: {
      AmazonopensearchserviceDestinationConfiguration: {
        RoleARN: ROLE,
        ClusterEndpoint: server.endpoint,
        IndexName: name,
        BufferingHints: SMALL,
        RetryOptions: { DurationInSeconds: 300 },
        S3Configuration: backup(name),
      },
    },
    recordOf: jsonOf,
    judge: (client, ledger) => judgeIds(client, name, ledger, delivered),
  }
}

/** Into a table of its own. */
export async function tableStream(server: PostgresServer, name: string): Promise<TestedStream> {
  await query(server, `CREATE TABLE ${name} (id text, padding text)`)
  const delivered = async (): Promise<string[]> => {
    const rows = await query(server, `SELECT id FROM ${name}`)
    return rows.map(({ id }) => String(id))
  }
  return {
    name,
    delivered,
    input: {
      RedshiftDestinationConfiguration: {
        RoleARN: ROLE,
        ClusterJDBCURL: `jdbc:postgresql://127.0.0.1:${server.port}/${server.database}`,
        Username: server.user,
        Password: server.password,
        CopyCommand: { DataTableName: name, CopyOptions: "JSON 'auto'" },
        RetryOptions: { DurationInSeconds: 300 },
        S3Configuration: { ...backup(name), BufferingHints: SMALL },
      },
    },
    recordOf: jsonOf,
    judge: (client, ledger) => judgeIds(client, name, ledger, delivered),
  }
}

/** Creates the streams and waits until they are active. */
export async function createAll(
  client: HttpClient,
  streams: readonly TestedStream[],
): Promise<void> {
  for (const { name, input } of streams) {
    await client.expect('CreateDeliveryStream', { DeliveryStreamName: name, ...input })
  }
  for (const { name } of streams) {
    await eventually(`stream ${name} is active`, 10_000, async () => {
      const { DeliveryStreamStatus } = await describe(client, name)
      return DeliveryStreamStatus === 'ACTIVE' ? true : undefined
    })
  }
}

function backup(name: string): JsonObject {
  return { RoleARN: ROLE, BucketARN: `arn:aws:s3:::${bucketOf(name)}` }
}

function jsonOf(id: string, padBytes: number): Buffer {
  return Buffer.from(`${JSON.stringify({ id, padding: 'x'.repeat(padBytes) })}\n`)
}

/** As `judge` of a stream whose records have no receipts, or not in objects. */
export async function judgeIds(
  client: HttpClient,
  name: string,
  ledger: Ledger,
  read: () => Promise<string[]>,
): Promise<StreamVerdict> {
  const books = await settledBooks(client, name)
  const delivered = await read()
  return {
    findings: ledger.findings(delivered).slice(0, 20),
    bookProblems: bookProblems(books, delivered.length, ledger.acknowledged.size),
    acknowledgedCount: ledger.acknowledged.size,
  }
}

async function query(server: PostgresServer, text: string): Promise<Record<string, unknown>[]> {
  const { host, port, database, user, password } = server
  const client = new Client({ host, port, database, user, password })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}
