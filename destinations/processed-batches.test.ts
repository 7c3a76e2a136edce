/** What every destination has to make of a batch that processors have been at. */
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../src/base/json.ts'
import type { DeliveryStream } from '../src/delivery-stream.ts'
import type { EncodedOutput } from '../src/destination.ts'
import { contextWith, streamTo } from '../test/fakes/delivered-batch.ts'
import { chunksOf, frozenAs, objectJob, shownOutputs } from '../test/fakes/object-job.ts'
import { destinationTypes } from './index.ts'

const RoleARN = 'arn:aws:iam::000000000000:role/delivery'
const S3 = { RoleARN, BucketARN: 'arn:aws:s3:::failed' }
const SEARCH = { RoleARN, IndexName: 'logs', S3Configuration: S3, S3BackupMode: 'AllDocuments' }
const CLUSTER = { ...SEARCH, ClusterEndpoint: 'http://search:9200' }
const REDSHIFT = {
  RoleARN,
  CopyCommand: { DataTableName: 't' },
  Username: 'u',
  Password: 'secret-word',
  S3Configuration: S3,
  S3BackupMode: 'Enabled',
  S3BackupConfiguration: S3,
}

/** With a backup of all records, by type. */
const CONFIGURATIONS: Readonly<Record<string, readonly JsonObject[]>> = {
  ExtendedS3: [{ ...S3, S3BackupMode: 'Enabled', S3BackupConfiguration: S3 }],
  HttpEndpoint: [
    {
      EndpointConfiguration: { Url: 'http://localhost/' },
      S3Configuration: S3,
      S3BackupMode: 'AllData',
    },
  ],
  Splunk: [
    {
      HECEndpoint: 'http://localhost:8088',
      HECEndpointType: 'Event',
      HECToken: 'token',
      S3Configuration: S3,
      S3BackupMode: 'AllEvents',
    },
  ],
  AmazonOpenSearchService: [CLUSTER],
  Elasticsearch: [CLUSTER],
  AmazonOpenSearchServerless: [{ ...SEARCH, CollectionEndpoint: 'http://search:9200' }],
  Redshift: [
    { ...REDSHIFT, ClusterJDBCURL: 'jdbc:postgresql://localhost:5432/db' },
    { ...REDSHIFT, ClusterJDBCURL: 'jdbc:redshift://localhost:5439/db' },
  ],
  MongoDB: [
    {
      ConnectionString: 'mongodb://localhost/',
      DatabaseName: 'd',
      CollectionName: 'c',
      S3Configuration: S3,
      S3BackupMode: 'AllData',
    },
  ],
}
const BACKUP = { kind: 's3-backup', recordCount: 3, range: { from: 0, to: 3 }, text: 'abc' }

function isBackup({ kind }: { readonly kind: string }): boolean {
  return kind === 's3-backup'
}

describe.each([...destinationTypes.keys()])('%s', (name) => {
  const type = destinationTypes.get(name)!
  const destination = type.open(contextWith())

  function streams(): readonly DeliveryStream[] {
    return (CONFIGURATIONS[name] ?? []).map((given) => {
      const [member = ''] = type.configurationMembers
      const context = { strictAws: false, objectStoreKind: 's3' } as const
      return streamTo(name, type.create(member, given, context))
    })
  }

  function encode(
    stream: DeliveryStream,
    records: readonly string[],
    frozen?: readonly EncodedOutput[],
  ): Promise<readonly EncodedOutput[]> {
    const processed = { originals: chunksOf(['a', 'b', 'c']) }
    return destination.encode(
      objectJob(stream, records, { processed, frozen: frozen && frozenAs(frozen) }),
    )
  }

  test('is configured with a backup here', () => {
    expect(streams().length).toBeGreaterThan(0)
  })

  test('the backup holds what was accepted, and all else what processors left', async () => {
    for (const stream of streams()) {
      const outputs = await encode(stream, ['{"n":1}', '{"n":2}'])
      expect(await shownOutputs(outputs.filter(isBackup))).toEqual([BACKUP])
      const others = outputs.filter((output) => !isBackup(output))
      expect(others.length).toBeGreaterThan(0)
      expect(others.map(({ recordCount }) => recordCount)).toEqual(others.map(() => 2))
      const texts = (await shownOutputs(others)).map((shown) => JSON.stringify(shown))
      expect(texts.filter((text) => /"text":"a/.test(text))).toEqual([])
      const again = await encode(stream, ['{"n":1}', '{"n":2}'], outputs)
      expect(frozenAs(again)).toEqual(frozenAs(outputs))
    }
  })

  test('where processors left nothing, there is the backup, and a repeat is the same', async () => {
    for (const stream of streams()) {
      const outputs = await encode(stream, [])
      expect(await shownOutputs(outputs)).toEqual([BACKUP])
      const again = await encode(stream, [], outputs)
      expect(frozenAs(again)).toEqual(frozenAs(outputs))
    }
  })

  test('a batch of which nothing is left at all has no outputs', async () => {
    for (const stream of streams()) {
      const processed = { originals: chunksOf([]) }
      expect(await destination.encode(objectJob(stream, [], { processed }))).toEqual([])
      expect(await destination.encode(objectJob(stream, []))).toEqual([])
    }
  })
})
