/** Standpipe before OpenTelemetry's receiver of Splunk's HTTP event collector, with acknowledgements. */
import { afterAll, describe, expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { FaultProxy } from '../fakes/fault-proxy.ts'
import { startOtelReceivers } from '../servers/otel-receivers.ts'
import type { Arrival } from '../servers/otel-receivers.ts'
import { balanced, settledBooks } from './books.ts'
import { describeDestination, idIn } from './destination-conformance.ts'
import { eventually, Service } from './harness.ts'

const receivers = await startOtelReceivers()
afterAll(async () => receivers?.[Symbol.asyncDispose]())

/** The receiver takes any token: a stream is known by its own. */
async function arrivalsWith(token: string): Promise<readonly Arrival[]> {
  const arrivals = (await receivers?.arrivals()) ?? []
  return arrivals.filter(({ headers }) => headers['authorization'] === `Splunk ${token}`)
}

const S3Configuration = {
  RoleARN: 'arn:aws:iam::000000000000:role/firehose',
  BucketARN: 'arn:aws:s3:::failed',
}
const BufferingHints = { SizeInMBs: 1, IntervalInSeconds: 1 }

describe.runIf(available('Go, for the OpenTelemetry receivers', receivers !== undefined))(
  'Splunk',
  () => {
    describeDestination(() =>
      Promise.resolve({
        name: 'Splunk',
        port: receivers?.hecPort ?? 0,
        create: ({ streamName, port, retrySeconds, S3Configuration }) => ({
          SplunkDestinationConfiguration: {
            HECEndpoint: `http://127.0.0.1:${port}`,
            HECEndpointType: 'Event',
            HECToken: streamName,
            BufferingHints,
            RetryOptions: { DurationInSeconds: retrySeconds },
            S3Configuration,
          },
        }),
        update: () => ({
          SplunkDestinationUpdate: { HECAcknowledgmentTimeoutInSeconds: 200 },
        }),
        effectMarker: 'POST /services/collector/event',
        record: (id, padding) => JSON.stringify({ event: { id, padding } }),
        poison: (id) => `${id} is no JSON`,
        delivered: async ({ streamName }) =>
          (await arrivalsWith(streamName)).map(({ data }) => idIn(data)),
        exactlyOnce: false,
        errorOutputType: 'splunk-failed',
      }),
    )

    test('raw data repeated after kill -9 comes on the channel it came on before', async () => {
      await using proxy = await FaultProxy.start(receivers?.hecPort ?? 0)
      await using service = await Service.start()
      const client = service.client()
      await client.expect('CreateDeliveryStream', {
        DeliveryStreamName: 'repeated',
        SplunkDestinationConfiguration: {
          HECEndpoint: `http://127.0.0.1:${proxy.port}`,
          HECEndpointType: 'Raw',
          HECToken: 'repeated',
          BufferingHints,
          S3Configuration,
        },
      })
      await proxy.become({ kind: 'lose reply', marker: 'POST /services/collector/raw' })
      const Records = ['first\n', 'second\n'].map((text) => ({
        Data: Buffer.from(text).toString('base64'),
      }))
      await client.expect('PutRecordBatch', { DeliveryStreamName: 'repeated', Records })
      await eventually('a reply is lost', 20_000, async () => proxy.lostCount > 0 || undefined)
      await service.kill()
      const before = (await arrivalsWith('repeated')).length
      await proxy.become({ kind: 'pass' })
      await service.start()
      const books = await settledBooks(client, 'repeated')
      client.close()

      const arrivals = await arrivalsWith('repeated')
      expect(before).toBeGreaterThan(0)
      expect(arrivals.length).toBeGreaterThan(before)
      expect(new Set(arrivals.map(({ data }) => data))).toEqual(new Set(['first', 'second']))
      const channels = arrivals.map(({ headers }) => headers['x-splunk-request-channel'])
      expect(new Set(channels).size).toBe(1)
      expect(balanced(books)).toBe(true)
    })
  },
)
