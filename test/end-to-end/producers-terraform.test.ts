/** Terraform's life of a stream: create, plan, change, plan, destroy; a plan after it must be empty. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { available } from '../clients/available.ts'
import { compiledClientsWanted, goSdk } from '../clients/compiled.ts'
import type { FirehoseCaller } from '../clients/firehose-caller.ts'
import { javascriptSdk } from '../clients/javascript.ts'
import { delivered } from '../producers/service.ts'
import {
  extendedS3,
  extendedS3Block,
  httpEndpoint,
  httpEndpointBlock,
  s3,
  splunk,
  splunkBlock,
} from '../producers/terraform-blocks.ts'
import { TerraformStream } from '../producers/terraform.ts'
import { Service } from './harness.ts'

const KEY = { accessKeyId: 'AKIDTERRAFORM', secretAccessKey: 'terraform secret' }
const ROLE = { role_arn: 'arn:aws:iam::000000000000:role/firehose' }

const installed = await Promise.all(
  [javascriptSdk, ...(compiledClientsWanted ? [goSdk] : [])].map(async (kind) => ({
    name: kind.name,
    open: await kind.install(),
  })),
)

describe.each(installed)('through $name', ({ name, open }) => {
  const present = available(name, open !== undefined)
  let service: Service
  let caller: FirehoseCaller

  beforeAll(async () => {
    if (open === undefined) return
    service = await Service.start({
      environment: {
        // Nothing of what sources would read is there.
        STANDPIPE_KINESIS_ENDPOINT: 'http://127.0.0.1:1',
        STANDPIPE_ACCESS_KEYS: `${KEY.accessKeyId}:${KEY.secretAccessKey}`,
        STANDPIPE_SSE_KEY: Buffer.alloc(32, 7).toString('base64'),
      },
    })
    caller = open({ url: service.url, ...KEY })
  })
  afterAll(async () => {
    if (!present) return
    await caller[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })

  test.runIf(present)('S3 with everything', async () => {
    const stream = new TerraformStream(caller, 'everything', extendedS3Block)
    const attributes = extendedS3({ ...ROLE, ...bucket('everything'), buffering_interval: 60 })
    const plain = { attributes, tags: { team: 'red' } }
    expect(await stream.plan(plain)).toBeUndefined()
    await stream.apply(plain)
    expect(await stream.plan(plain)).toEqual([])
    expect(await stream.version()).toBe('1')

    const rich = {
      attributes: {
        ...attributes,
        prefix: 'data/!{partitionKeyFromQuery:team}/',
        error_output_prefix: 'errors/!{firehose:error-output-type}/',
        custom_time_zone: 'Europe/Berlin',
        file_extension: '.jsonl',
        buffering_size: 64,
        buffering_interval: 60,
        compression_format: 'GZIP',
        partitioning_retry_duration: 300,
        processors: [
          {
            type: 'MetadataExtraction',
            parameters: { JsonParsingEngine: 'JQ-1.6', MetadataExtractionQuery: '{team:.team}' },
          },
          { type: 'AppendDelimiterToRecord', parameters: {} },
        ],
        s3_backup_mode: 'Enabled',
        s3_backup_configuration: s3({ ...ROLE, ...bucket('backup'), prefix: 'raw/' }),
      },
      tags: { team: 'blue', stage: 'test' },
      isEncrypted: true,
    }
    expect(await stream.plan(rich)).toEqual([
      'prefix',
      'error_output_prefix',
      'buffering_size',
      'compression_format',
      'custom_time_zone',
      'file_extension',
      'processors',
      'partitioning_retry_duration',
      's3_backup_mode',
      's3_backup_configuration',
      'tags',
      'server_side_encryption',
    ])
    await stream.apply(rich)
    expect(await stream.plan(rich)).toEqual([])
    expect(await stream.version()).toBe('2')

    const open = { ...rich, isEncrypted: false, tags: {} }
    await stream.apply(open)
    expect(await stream.plan(open)).toEqual([])
    // The update that goes with it changed nothing.
    expect(await stream.version()).toBe('2')
    await stream.destroy()
    expect(await stream.plan(rich)).toBeUndefined()
  })

  test.runIf(present)('records put to what it made arrive', async () => {
    const stream = new TerraformStream(caller, 'records', extendedS3Block)
    const attributes = extendedS3({ ...ROLE, ...bucket('records'), buffering_interval: 1 })
    await stream.apply({ attributes })
    const Record = { Data: 'put after apply' }
    await caller.call('PutRecord', { DeliveryStreamName: 'records', Record })
    expect(await delivered(service, 'records', 'put after apply')).toBe('put after apply')
  })

  test.runIf(present).for<[string, JsonObject]>([
    [
      'Kinesis',
      {
        kinesis_source_configuration: {
          kinesis_stream_arn: 'arn:aws:kinesis:us-east-1:000000000000:stream/clicks',
          ...ROLE,
        },
      },
    ],
    [
      'MSK',
      {
        msk_source_configuration: {
          msk_cluster_arn: 'arn:aws:kafka:us-east-1:000000000000:cluster/events/7e0a-1',
          topic_name: 'clicks',
          authentication_configuration: { connectivity: 'PUBLIC', ...ROLE },
        },
      },
    ],
  ])('%s as the source', async ([, source]) => {
    const stream = new TerraformStream(caller, 'reading', extendedS3Block)
    const attributes = extendedS3({ ...ROLE, ...bucket('reading'), buffering_interval: 60 })
    await stream.apply({ attributes, source })
    expect(await stream.plan({ attributes, source })).toEqual([])
    const changed = { attributes: { ...attributes, prefix: 'read/' }, source, tags: { a: 'b' } }
    expect(await stream.plan(changed)).toEqual(['prefix', 'tags'])
    await stream.apply(changed)
    expect(await stream.plan(changed)).toEqual([])
    expect(await stream.plan({ attributes: changed.attributes, tags: changed.tags })).toEqual([
      'source',
    ])
    await stream.destroy()
  })

  test.runIf(present)(
    "Splunk's token is always planned anew, and kept when it is ignored",
    async () => {
      const stream = new TerraformStream(caller, 'splunk', splunkBlock)
      const attributes = splunk({
        hec_endpoint: 'https://splunk.invalid:8088',
        hec_token: '51D4DA16-C61B-4F5F-8EC7-ED4301342A4A',
        s3_configuration: s3({ ...ROLE, ...bucket('splunk') }),
      })
      await stream.apply({ attributes })
      expect(await stream.plan({ attributes })).toEqual(['hec_token'])
      await stream.apply({ attributes })
      // The first update gave the error prefix that creating left out; the next changes nothing.
      expect(await stream.version()).toBe('2')
      await stream.apply({ attributes })
      expect(await stream.version()).toBe('2')

      // lifecycle { ignore_changes = [splunk_configuration[0].hec_token] }
      const ignored = { attributes: { ...attributes, hec_token: '', retry_duration: 600 } }
      await stream.apply(ignored)
      expect(await stream.plan(ignored)).toEqual([])
      expect(await stream.version()).toBe('3')
      await stream.destroy()
    },
  )

  test.runIf(present).each([{ access_key: '' }, { access_key: 'an access key' }])(
    'an HTTP endpoint with the access key "$access_key"',
    async ({ access_key }) => {
      const stream = new TerraformStream(caller, 'http', httpEndpointBlock)
      const attributes = httpEndpoint({
        ...ROLE,
        url: 'https://collector.invalid/firehose',
        name: 'Collector',
        access_key,
        s3_configuration: s3({ ...ROLE, ...bucket('http') }),
      })
      await stream.apply({ attributes })
      expect(await stream.plan({ attributes })).toEqual([])
      const changed = { attributes: { ...attributes, content_encoding: 'GZIP' } }
      expect(await stream.plan(changed)).toEqual(['content_encoding'])
      await stream.apply(changed)
      expect(await stream.plan(changed)).toEqual([])
      await stream.destroy()
    },
  )
})

function bucket(name: string): JsonObject {
  return { bucket_arn: `arn:aws:s3:::bucket-${name}` }
}
