/** Standpipe before OpenTelemetry's receiver of Firehose's HTTP protocol. */
import { afterAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { available } from '../clients/available.ts'
import { FaultProxy } from '../fakes/fault-proxy.ts'
import { startOtelReceivers } from '../servers/otel-receivers.ts'
import type { Arrival } from '../servers/otel-receivers.ts'
import { balanced, settledBooks } from './books.ts'
import { describeDestination, idIn } from './destination-conformance.ts'
import { eventually, Service } from './harness.ts'

const receivers = await startOtelReceivers()
afterAll(async () => receivers?.[Symbol.asyncDispose]())

async function arrivalsOf(streamName: string): Promise<readonly Arrival[]> {
  const arrivals = (await receivers?.arrivals()) ?? []
  return arrivals.filter(({ headers }) =>
    headers['x-amz-firehose-source-arn']?.endsWith(`/${streamName}`),
  )
}

function endpoint(port: number, accessKey = receivers?.accessKey): JsonObject {
  return {
    Url: `http://127.0.0.1:${port}/`,
    ...(accessKey !== undefined && { AccessKey: accessKey }),
  }
}

const S3Configuration = {
  RoleARN: 'arn:aws:iam::000000000000:role/firehose',
  BucketARN: 'arn:aws:s3:::failed',
}
const BufferingHints = { SizeInMBs: 1, IntervalInSeconds: 1 }

describe.runIf(available('Go, for the OpenTelemetry receivers', receivers !== undefined))(
  'HTTP endpoint',
  () => {
    describeDestination(() =>
      Promise.resolve({
        name: 'HttpEndpoint',
        port: receivers?.firehosePort ?? 0,
        create: ({ port, retrySeconds, S3Configuration }) => ({
          HttpEndpointDestinationConfiguration: {
            EndpointConfiguration: endpoint(port),
            RequestConfiguration: { ContentEncoding: 'GZIP' },
            BufferingHints,
            RetryOptions: { DurationInSeconds: retrySeconds },
            S3Configuration,
          },
        }),
        update: () => ({
          HttpEndpointDestinationUpdate: { RequestConfiguration: { ContentEncoding: 'NONE' } },
        }),
        effectMarker: 'X-Amz-Firehose-Request-Id',
        record: (id, padding) => JSON.stringify({ id, padding }),
        delivered: async ({ streamName }) =>
          (await arrivalsOf(streamName)).map(({ data }) => idIn(data)),
        exactlyOnce: false,
        errorOutputType: 'http-endpoint-failed',
      }),
    )

    test('a request repeated after kill -9 has the id it had before', async () => {
      await using proxy = await FaultProxy.start(receivers?.firehosePort ?? 0)
      await using service = await Service.start()
      const client = service.client()
      await client.expect('CreateDeliveryStream', {
        DeliveryStreamName: 'repeated',
        HttpEndpointDestinationConfiguration: {
          EndpointConfiguration: endpoint(proxy.port),
          RequestConfiguration: {
            CommonAttributes: [{ AttributeName: 'city', AttributeValue: 'Zürich' }],
          },
          BufferingHints,
          S3Configuration,
        },
      })
      await proxy.become({ kind: 'lose reply', marker: 'X-Amz-Firehose-Request-Id' })
      const Records = ['first', '', 'third\n'].map((text) => ({
        Data: Buffer.from(text).toString('base64'),
      }))
      await client.expect('PutRecordBatch', { DeliveryStreamName: 'repeated', Records })
      await eventually('a reply is lost', 20_000, async () => proxy.lostCount > 0 || undefined)
      await service.kill()
      const before = (await arrivalsOf('repeated')).length
      await proxy.become({ kind: 'pass' })
      await service.start()
      const books = await settledBooks(client, 'repeated')
      client.close()

      const arrivals = await arrivalsOf('repeated')
      expect(before).toBeGreaterThan(0)
      expect(arrivals.length).toBeGreaterThan(before)
      expect(new Set(arrivals.map(({ data }) => data))).toEqual(new Set(['first', '', 'third\n']))
      expect(arrivals.map(({ attributes }) => attributes)).toEqual(
        arrivals.map(() => ({ city: 'Zürich' })),
      )
      const ids = arrivals.map(({ headers }) => headers['x-amz-firehose-request-id'])
      expect(new Set(ids).size).toBe(1)
      expect(balanced(books)).toBe(true)
    })

    test('an access key that is refused sets the brake, and a good one lets records through', async () => {
      await using service = await Service.start()
      const client = service.client()
      const port = receivers?.firehosePort ?? 0
      await client.expect('CreateDeliveryStream', {
        DeliveryStreamName: 'braked',
        HttpEndpointDestinationConfiguration: {
          EndpointConfiguration: endpoint(port, 'wrong'),
          BufferingHints,
          S3Configuration,
        },
      })
      const Records = [{ Data: Buffer.from('kept').toString('base64') }]
      await client.expect('PutRecordBatch', { DeliveryStreamName: 'braked', Records })
      await eventually('the failure shows', 20_000, async () => {
        const { body } = await client.get('/streams/braked')
        return JSON.stringify(body).includes('invalid firehose access key') || undefined
      })
      await client.expect('UpdateDestination', {
        DeliveryStreamName: 'braked',
        CurrentDeliveryStreamVersionId: '1',
        DestinationId: 'destinationId-000000000001',
        HttpEndpointDestinationUpdate: { EndpointConfiguration: endpoint(port) },
      })
      const books = await settledBooks(client, 'braked')
      client.close()
      expect(books).toMatchObject({ delivered: 1, errored: 0, pending: 0 })
      expect((await arrivalsOf('braked')).map(({ data }) => data)).toEqual(['kept'])
    })
  },
)
