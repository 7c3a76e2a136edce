/** Standpipe before a real OpenSearch: the suite that all destinations pass, and a large batch. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { available } from '../clients/available.ts'
import { installOpenSearch, startOpenSearch } from '../servers/opensearch.ts'
import type { OpenSearchServer } from '../servers/opensearch.ts'
import { balanced, settledBooks } from './books.ts'
import { describeDestination, idIn } from './destination-conformance.ts'
import { Service } from './harness.ts'
import { folderObjects } from './objects.ts'

const ROLE = 'arn:aws:iam::000000000000:role/firehose'
const WHAT = 'JDK of version 17 or later and Maven, for OpenSearch'

describe.runIf(available(WHAT, await installOpenSearch()))('OpenSearch', () => {
  let server: OpenSearchServer
  beforeAll(async () => {
    server = await startOpenSearch()
  })
  afterAll(async () => server?.[Symbol.asyncDispose]())

  describeDestination(async () => {
    return {
      name: 'AmazonOpenSearchService',
      port: server.port,
      create: ({ streamName, port, retrySeconds, S3Configuration }) => ({
        AmazonopensearchserviceDestinationConfiguration: {
          RoleARN: ROLE,
          ClusterEndpoint: `http://127.0.0.1:${port}`,
          IndexName: streamName,
          BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 1 },
          RetryOptions: { DurationInSeconds: retrySeconds },
          S3Configuration,
        },
      }),
      update: ({ streamName }) => ({
        AmazonopensearchserviceDestinationUpdate: { IndexName: `${streamName}-renamed` },
      }),
      effectMarker: 'POST /_bulk',
      record: (id, padding) => JSON.stringify({ id, padding }),
      poison: (id) => `${id} is no JSON`,
      delivered: async ({ streamName }) => {
        const documents = await server.documents(`${streamName}-*`)
        return documents.map(({ _source }) => idIn(JSON.stringify(_source)))
      },
      exactlyOnce: true,
      errorOutputType: 'AmazonOpenSearchService-failed',
    }
  })

  test('a large batch with a backup, and a record that is refused', async () => {
    await using service = await Service.start()
    const client = service.client()
    const bucket = { RoleARN: ROLE, BucketARN: 'arn:aws:s3:::large', Prefix: 'p/' }
    await client.expect('CreateDeliveryStream', {
      DeliveryStreamName: 'large',
      AmazonopensearchserviceDestinationConfiguration: {
        RoleARN: ROLE,
        ClusterEndpoint: server.endpoint,
        IndexName: 'large',
        IndexRotationPeriod: 'NoRotation',
        BufferingHints: { SizeInMBs: 100, IntervalInSeconds: 5 },
        S3BackupMode: 'AllDocuments',
        S3Configuration: bucket,
      },
    })
    const recordIds: string[] = []
    const put = async (records: readonly string[]): Promise<void> => {
      const Records = records.map((text) => ({ Data: Buffer.from(text).toString('base64') }))
      const answer = await client.expect('PutRecordBatch', {
        DeliveryStreamName: 'large',
        Records,
      })
      const responses = answer['RequestResponses'] as { RecordId: string }[]
      recordIds.push(...responses.map(({ RecordId }) => RecordId))
    }
    const large = JSON.stringify({ text: 'x'.repeat(4_000) })
    for (let count = 0; count < 8; count += 1) await put(Array(500).fill(large))
    await put(['poison'])
    const books = await settledBooks(client, 'large')
    client.close()

    expect({ ...books, balanced: balanced(books) }).toMatchObject({
      delivered: 4_000,
      errored: 1,
      balanced: true,
    })
    const documents = await server.documents('large')
    const poisonId = recordIds.pop()
    expect(documents.map(({ _id }) => _id).toSorted()).toEqual(recordIds)
    const objects = await folderObjects(join(service.dataDir, 'buckets', 'large'))
    const [failed, ...others] = objects.toSorted((a, b) => a.bytes.length - b.bytes.length)
    expect(failed?.key).toMatch(/^p\/AmazonOpenSearchService-failed\/\d{4}(\/\d\d){3}\/large-1-/)
    expect(JSON.parse(failed?.bytes.toString() ?? '') as JsonObject).toEqual({
      attemptsMade: 1,
      arrivalTimestamp: expect.any(Number),
      errorCode: '400',
      errorMessage: 'Cannot index: the record is not a JSON object on a single line of UTF-8',
      attemptEndingTimestamp: expect.any(Number),
      esDocumentId: poisonId,
      esIndexName: 'large',
      esTypeName: '',
      rawData: Buffer.from('poison').toString('base64'),
    })
    const backup = large.repeat(4_000) + 'poison'
    expect(Buffer.concat(others.map(({ bytes }) => bytes)).equals(Buffer.from(backup))).toBe(true)
  })
})
