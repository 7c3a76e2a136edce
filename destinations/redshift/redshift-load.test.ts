/** What a Redshift cluster is sent, by a server that speaks its protocol and records it. */
import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { Clock } from '../../src/base/clock.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { NO_CONNECTIONS } from '../../src/connections.ts'
import type { Destination } from '../../src/destination.ts'
import { DeliveryError } from '../../src/destination.ts'
import type { ObjectStore, PutObject } from '../../src/object-store.ts'
import { FaultProxy } from '../../test/fakes/fault-proxy.ts'
import { batchOf, deliverByHand, encodeByHand, streamOf } from '../../test/fakes/hand-delivery.ts'
import { RedshiftCluster } from '../../test/fakes/redshift-cluster.ts'
import { redshift } from './index.ts'

const ROLE = 'arn:aws:iam::000000000000:role/delivery'
const S3 = { RoleARN: ROLE, BucketARN: 'arn:aws:s3:::staging', Prefix: 'in/' }
const NAME = /^in\/(?:manifests\/)?2026\/11\/21\/12\/events-1-2026-11-21-12-00-00-[0-9a-f-]{36}$/
const LEDGER = '"own"."standpipe_ledger"'

/** Keeps the bytes of objects by their keys. */
class MemoryStore implements ObjectStore {
  readonly description = 'memory'
  readonly objects = new Map<string, string>()

  async put({ key, content }: PutObject): Promise<void> {
    this.objects.set(key, (await content.read(0, content.sizeBytes)).toString())
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

function open(objectStore = new MemoryStore(), clock = systemClock): Destination {
  const connections = NO_CONNECTIONS
  return redshift.open({ objectStore, connections, clock, logger: silentLogger })
}

function streamTo({ port }: { readonly port: number }, members: JsonObject = {}) {
  const configuration = redshift.create(
    'RedshiftDestinationConfiguration',
    {
      RoleARN: ROLE,
      ClusterJDBCURL: `jdbc:redshift://127.0.0.1:${port}/dev?sslmode=disable`,
      Username: 'loader',
      Password: 'secret-word',
      CopyCommand: {
        DataTableName: 'Own.events',
        DataTableColumns: 'id, "Name"',
        CopyOptions: "FORMAT AS JSON 'auto' TIMEFORMAT 'auto' MAXERROR 5",
      },
      S3Configuration: S3,
      ...members,
    },
    { strictAws: false, objectStoreKind: 's3' },
  )
  return streamOf(redshift, configuration)
}

async function failureOf(promise: Promise<unknown>): Promise<DeliveryError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(DeliveryError)
  return error as DeliveryError
}

test('a batch is staged, named by a manifest, and copied in one transaction with its ledger row', async () => {
  await using cluster = await RedshiftCluster.start()
  const store = new MemoryStore()
  const batch = batchOf(['{"id":1}\n', '{"id":2}\n'])
  expect(await deliverByHand(open(store), streamTo(cluster), batch)).toEqual([])
  const [staged = '', manifest = ''] = store.objects.keys()
  expect([staged, manifest]).toEqual([
    expect.stringMatching(NAME),
    expect.stringMatching(/^in\/manifests\//),
  ])
  expect(manifest).toMatch(NAME)
  expect([...store.objects.values()]).toEqual([
    '{"id":1}\n{"id":2}\n',
    `{"entries":[{"url":"s3://staging/${staged}","mandatory":true}]}`,
  ])
  const { batchId } = batch.batch
  expect(cluster.statements).toEqual([
    `SELECT 1 FROM pg_tables WHERE schemaname = 'own' AND tablename = 'standpipe_ledger'`,
    `CREATE TABLE IF NOT EXISTS ${LEDGER} (batch_id varchar(26) NOT NULL PRIMARY KEY, stream_name varchar(64) NOT NULL, refused text NOT NULL, loaded_at timestamp NOT NULL)`,
    'BEGIN',
    `LOCK ${LEDGER}`,
    `SELECT 1 FROM ${LEDGER} WHERE batch_id = '${batchId}'`,
    `COPY "own"."events" ("id", "Name") FROM 's3://staging/${manifest}' IAM_ROLE '${ROLE}' MANIFEST FORMAT AS JSON 'auto' TIMEFORMAT 'auto' MAXERROR 5`,
    expect.stringMatching(
      `^INSERT INTO ${LEDGER} \\(batch_id, stream_name, refused, loaded_at\\) VALUES \\('${batchId}', 'events', '', '\\d{4}-\\d{2}-\\d{2}T[0-9:.]+'\\)$`,
    ),
    'COMMIT',
  ])
})

test('outputs say what they are, and the load comes last', async () => {
  await using cluster = await RedshiftCluster.start()
  const stream = streamTo(cluster, { S3BackupMode: 'Enabled', S3BackupConfiguration: S3 })
  const outputs = await encodeByHand(open(), stream, batchOf(['1', '2']))
  const shown = outputs.map(({ kind, accounting, recordCount, needsEarlier = false, content }) => {
    return { kind, accounting, recordCount, needsEarlier, hasContent: content !== undefined }
  })
  const copy = { accounting: 'copy', recordCount: 2, needsEarlier: false, hasContent: true }
  expect(shown).toEqual([
    { kind: 's3-staging', ...copy },
    { kind: 's3-backup', ...copy },
    { kind: 'redshift-manifest', ...copy },
    {
      kind: 'redshift-copy',
      accounting: 'delivered',
      recordCount: 2,
      needsEarlier: true,
      hasContent: false,
    },
  ])
  expect(outputs.at(-1)?.target).toEqual({
    table: 'Own.events',
    manifest: expect.stringMatching(/^s3:\/\/staging\/in\/manifests\//),
  })
})

test('a COMMIT that was answered into the void is found in the ledger', async () => {
  await using cluster = await RedshiftCluster.start()
  const stream = streamTo(cluster)
  const batch = batchOf(['{"id":1}\n'])
  cluster.losesCommit = true
  expect(await failureOf(deliverByHand(open(), stream, batch))).toMatchObject({
    errorCode: 'Redshift.ConnectionFailed',
    retryable: true,
    effect: 'unknown',
  })
  expect(await deliverByHand(open(), stream, batch)).toEqual([])
  expect(cluster.copyCount).toBe(1)
})

test.each([
  ['Redshift.DataLoadFailed', 'XX000', "Load into table 'events' failed", false],
  ['Redshift.S3BucketAccessDenied', 'XX000', 'S3ServiceException:Access Denied,Status 403', true],
  ['Redshift.TableNotFound', 'XX000', 'Cannot COPY into nonexistent table events', true],
  ['Redshift.MissingS3File', 'XX000', 'The specified S3 prefix does not exist', true],
  ['Redshift.InsufficientPrivilege', '42501', 'permission denied for relation events', true],
  ['Redshift.SyntaxError', '42601', 'syntax error at or near "X"', true],
])('%s of a COPY (%s: %s), brake: %s', async (errorCode, code, message, brake) => {
  await using cluster = await RedshiftCluster.start()
  cluster.failure = { statement: 'COPY', code, message }
  const failure = await failureOf(deliverByHand(open(), streamTo(cluster), batchOf(['1'])))
  expect(failure).toMatchObject({ errorCode, brake, retryable: true, effect: 'none' })
  expect([cluster.copyCount, cluster.ledger.size]).toEqual([0, 0])
})

test('a cluster that takes connections and says nothing is given up after 15 s', async () => {
  await using proxy = await FaultProxy.start(1)
  await proxy.become({ kind: 'hang' })
  const slept: number[] = []
  const hasty: Clock = {
    ...systemClock,
    sleep(durationMs, signal) {
      slept.push(durationMs)
      return systemClock.sleep(50, signal)
    },
  }
  const destination = open(new MemoryStore(), hasty)
  const failure = await failureOf(deliverByHand(destination, streamTo(proxy), batchOf(['1'])))
  expect(failure).toMatchObject({
    errorCode: 'Redshift.ConnectionFailed',
    message: 'Cannot connect to the database: the database did not answer',
    effect: 'none',
    brake: false,
  })
  expect(slept).toEqual([15_000])
})

test('what failed is retried for an hour, then goes to errors/', () => {
  const policy = open().failurePolicy?.(streamTo({ port: 1 }))
  expect(policy).toMatchObject({
    retryDurationMs: 3_600_000,
    atLeastOnce: false,
    errorOutputType: 'errors',
  })
})
