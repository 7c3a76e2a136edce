/**
 * MongoDB's protocol as a server that others have written speaks it, reached directly and through a
 * proxy that loses replies. First the suite that all destinations pass, then what only MongoDB does.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Document } from 'mongodb'
import { Long } from 'mongodb'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { mongoDB } from '../../destinations/mongodb/index.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { silentLogger } from '../../src/base/logger.ts'
import type { Connections } from '../../src/connections.ts'
import { NO_CONNECTIONS } from '../../src/connections.ts'
import type { DeliverJob, Destination, RecordFailure } from '../../src/destination.ts'
import { FolderObjectStore } from '../../src/objects/folder-object-store.ts'
import { encodeRecordId } from '../../src/record.ts'
import { available } from '../clients/available.ts'
import { FaultProxy } from '../fakes/fault-proxy.ts'
import { batchOf, deliverByHand, encodeByHand, streamOf } from '../fakes/hand-delivery.ts'
import type { HandBatch } from '../fakes/hand-delivery.ts'
import { startMongoServer } from '../servers/mongodb.ts'
import type { MongoServer } from '../servers/mongodb.ts'
import { freePort } from '../servers/process.ts'
import { describeDestination, idIn } from './destination-conformance.ts'
import { eventually, Service } from './harness.ts'

const ROLE = 'arn:aws:iam::000000000000:role/firehose'
const SECRET = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:mongo'
const DATABASE = 'standpipe'

const server = await startMongoServer()
const folder = await mkdtemp(join(tmpdir(), 'mongodb-test-'))
afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

describe.runIf(available('MongoDB, nor Go for FerretDB', server !== undefined))('MongoDB', () => {
  describeDestination(async () => ({
    name: 'MongoDB',
    port: theServer().port,
    create: ({ streamName, port, retrySeconds, S3Configuration }) => ({
      MongoDBDestinationConfiguration: {
        ConnectionString: `mongodb://127.0.0.1:${port}/`,
        DatabaseName: DATABASE,
        CollectionName: streamName,
        BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 1 },
        RetryOptions: { DurationInSeconds: retrySeconds },
        S3Configuration,
      },
    }),
    update: () => ({
      MongoDBDestinationUpdate: { BufferingHints: { SizeInMBs: 2, IntervalInSeconds: 1 } },
    }),
    effectMarker: 'insert',
    record: (id, padding) => JSON.stringify({ id, padding }),
    poison: (id) => `${id} is no JSON`,
    delivered: async ({ streamName }) => {
      const documents = await stored(streamName)
      return documents.map(({ id }) => idIn(String(id)))
    },
    exactlyOnce: true,
    errorOutputType: 'mongodb-failed',
  }))

  test('a document has the id of its record, and the types that its JSON names', async () => {
    await using target = new Target('typed')
    const batch = batchOf([
      '{"n":1,"x":0.5,"at":{"$date":"2026-11-21T12:00:00.5Z"},"long":1234567890123456789}\n',
      '{"deep":{"list":[1,"ü",null]}}',
    ])
    expect(await target.deliver(batch)).toEqual([])
    expect(await stored('typed', { promoteLongs: false })).toEqual([
      {
        _id: idOf(batch, 0),
        n: 1,
        x: 0.5,
        at: new Date('2026-11-21T12:00:00.5Z'),
        long: Long.fromString('1234567890123456789'),
      },
      { _id: idOf(batch, 1), deep: { list: [1, 'ü', null] } },
    ])
  })

  test('records that are no documents are refused, those beside them arrive', async () => {
    await using target = new Target('refused')
    const batch = batchOf(['{"n":1}', '{"n":', '[1]', '{"$set":1}', Buffer.from([0xff]), '{"n":2}'])
    expect(brief(await target.deliver(batch))).toEqual([
      [1, 'MongoDB.InvalidRecord', 'refused'],
      [2, 'MongoDB.InvalidRecord', 'refused'],
      [4, 'MongoDB.InvalidRecord', 'refused'],
      [3, expect.stringMatching(/^MongoDB\.\d+$/), 'refused'],
    ])
    expect(await stored('refused')).toEqual([
      { _id: idOf(batch, 0), n: 1 },
      { _id: idOf(batch, 5), n: 2 },
    ])
  })

  test('a repeat of what has arrived changes nothing, and takes what is missing', async () => {
    await using target = new Target('repeated')
    const batch = batchOf(['{"n":1}', '{"n":2}', '{"n":3}'])
    const records = async function* () {
      yield [{ ordinal: 1, arrivalMs: 0, data: Buffer.from('{"n":2}') }]
    }
    expect(await target.deliver(batch, { records })).toEqual([])
    // What somebody has done with the document since does not matter.
    await theServer()
      .client.db(DATABASE)
      .collection('repeated')
      .updateOne({ n: 2 }, { $set: { seen: true } })
    expect(await target.deliver(batch)).toEqual([])
    expect(await stored('repeated')).toEqual([
      { _id: idOf(batch, 0), n: 1 },
      { _id: idOf(batch, 1), n: 2, seen: true },
      { _id: idOf(batch, 2), n: 3 },
    ])
  })

  test('a document with an _id of its own keeps it; another one under it is refused', async () => {
    await using target = new Target('named')
    const records = ['{"n":1,"_id":"a"}', '{"_id":{"$oid":"0123456789abcdef01234567"},"n":2}']
    expect(await target.deliver(batchOf(records))).toEqual([])
    expect(brief(await target.deliver(batchOf([...records, '{"_id":"a","n":3}'])))).toEqual([
      [2, 'MongoDB.11000', 'refused'],
    ])
    expect((await stored('named')).map(({ _id, n }) => [String(_id), n])).toEqual([
      ['a', 1],
      ['0123456789abcdef01234567', 2],
    ])
  })

  test('what another unique index forbids is refused', async () => {
    await using target = new Target('unique')
    await theServer()
      .client.db(DATABASE)
      .collection('unique')
      .createIndex({ n: 1 }, { unique: true })
    const batch = batchOf(['{"n":1}', '{"n":1}', '{"n":2}'])
    expect(brief(await target.deliver(batch))).toEqual([[1, 'MongoDB.11000', 'refused']])
    expect(brief(await target.deliver(batch))).toEqual([[1, 'MongoDB.11000', 'refused']])
    expect(await stored('unique')).toHaveLength(2)
  })

  test('a reply that is lost leaves the effect unknown, and a repeat finds it', async () => {
    await using proxy = await FaultProxy.start(theServer().port)
    await using target = new Target('lost', proxy.port)
    const batch = batchOf(['{"n":1}', '{"n":2}'])
    await proxy.become({ kind: 'lose reply', marker: 'insert' })
    await expect(target.deliver(batch)).rejects.toMatchObject({
      errorCode: 'MongoDB.ConnectionFailed',
      retryable: true,
      effect: 'unknown',
      brake: false,
    })
    expect(await stored('lost')).toHaveLength(2)
    await proxy.become({ kind: 'pass' })
    expect(await target.deliver(batch)).toEqual([])
    expect(await stored('lost')).toHaveLength(2)
  })

  test('an attempt that is given up ends at once', async () => {
    await using proxy = await FaultProxy.start(theServer().port)
    await using target = new Target('given-up', proxy.port)
    await proxy.become({ kind: 'hang' })
    const giveUp = new AbortController()
    const attempt = target.deliver(batchOf(['{"n":1}']), { signal: giveUp.signal })
    giveUp.abort()
    await expect(attempt).rejects.toMatchObject({
      errorCode: 'MongoDB.RequestAborted',
      effect: 'unknown',
    })
  })

  test('credentials that the server does not take brake, whichever way they are given', async () => {
    const connection = { username: 'nobody', password: 'hush' }
    const ways: Connections[] = [
      { ...NO_CONNECTIONS, find: () => connection },
      { ...NO_CONNECTIONS, secret: () => Promise.resolve(connection) },
    ]
    for (const connections of ways) {
      await using target = new Target('refused', theServer().port, connections)
      await expect(target.deliver(batchOf(['{"n":1}']))).rejects.toMatchObject({
        errorCode: 'MongoDB.18',
        message: expect.not.stringContaining('hush'),
        effect: 'none',
        brake: true,
      })
    }
  })

  test('the service takes them from its settings, and never tells them', async () => {
    const { port } = theServer()
    const connection = { url: `mongodb://127.0.0.1:${port}`, username: 'nobody', password: 'hush' }
    await using service = await Service.start({
      environment: { STANDPIPE_CONNECTIONS: JSON.stringify([connection]) },
    })
    const client = service.client()
    onTestFinished(() => client.close())
    await client.expect('CreateDeliveryStream', {
      DeliveryStreamName: 'refused',
      MongoDBDestinationConfiguration: {
        ...configurationOf('refused', port),
        BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 0 },
      },
    })
    const put = { DeliveryStreamName: 'refused', Record: { Data: 'e30=' } }
    await eventually('the stream is active', 10_000, async () => {
      const { status } = await client.call('PutRecord', put)
      return status === 200 ? true : undefined
    })
    const state = await eventually('the stream brakes', 20_000, async () => {
      const { body } = await client.get('/streams/refused')
      const text = JSON.stringify(body)
      return text.includes('MongoDB.18') ? text : undefined
    })
    expect(state + service.log).not.toContain('hush')
  })

  test('a secret that the host does not have brakes', async () => {
    const connections: Connections = {
      ...NO_CONNECTIONS,
      secret: () => Promise.reject(new Error('Cannot read secret')),
    }
    await using target = new Target('secret', theServer().port, connections)
    const stream = target.stream({
      SecretsManagerConfiguration: { Enabled: true, SecretARN: SECRET },
    })
    await expect(deliverByHand(target.destination, stream, batchOf(['{}']))).rejects.toMatchObject({
      errorCode: 'MongoDB.SecretUnavailable',
      effect: 'none',
      brake: true,
    })
  })

  test('nothing listens: nothing was written, and it can pass', async () => {
    await using target = new Target('nowhere', await freePort())
    await expect(target.deliver(batchOf(['{"n":1}']))).rejects.toMatchObject({
      errorCode: 'MongoDB.ServerSelection',
      retryable: true,
      effect: 'none',
      brake: false,
    })
  })

  test('a backup has all records as they came, and a large batch several inserts', async () => {
    await using target = new Target('large')
    const stream = target.stream({ S3BackupMode: 'AllData' })
    const batch = batchOf(Array.from({ length: 12_000 }, (_, n) => JSON.stringify({ n })))
    const outputs = await encodeByHand(target.destination, stream, batch)
    expect(
      outputs.map(({ kind, accounting, recordCount, range }) => [
        kind,
        accounting,
        recordCount,
        range,
      ]),
    ).toEqual([
      ['s3-backup', 'copy', 12_000, undefined],
      ['documents', 'delivered', 5_000, { from: 0, to: 5_000 }],
      ['documents', 'delivered', 5_000, { from: 5_000, to: 10_000 }],
      ['documents', 'delivered', 2_000, { from: 10_000, to: 12_000 }],
    ])
  })
})

/** A collection, and the destination that delivers to it. */
class Target implements AsyncDisposable {
  readonly destination: Destination
  readonly #collection: string
  readonly #port: number
  readonly #useSecret: boolean

  constructor(collection: string, port = theServer().port, connections = NO_CONNECTIONS) {
    this.#collection = collection
    this.#port = port
    this.#useSecret = connections.secret !== NO_CONNECTIONS.secret
    this.destination = mongoDB.open({
      objectStore: new FolderObjectStore({ root: folder, clock: systemClock }),
      connections,
      clock: systemClock,
      logger: silentLogger,
    })
  }

  stream(members: object = {}) {
    const created = mongoDB.create(
      'MongoDBDestinationConfiguration',
      {
        ...configurationOf(this.#collection, this.#port),
        ...(this.#useSecret && {
          SecretsManagerConfiguration: { Enabled: true, SecretARN: SECRET },
        }),
        ...members,
      },
      { strictAws: false, objectStoreKind: 'folder' },
    )
    return streamOf(mongoDB, created)
  }

  deliver(batch: HandBatch, members: Partial<DeliverJob> = {}): Promise<readonly RecordFailure[]> {
    return deliverByHand(this.destination, this.stream(), batch, members)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.destination.close()
  }
}

function theServer(): MongoServer {
  if (server === undefined) throw new Error('Cannot test: there is no server')
  return server
}

function configurationOf(collection: string, port: number): JsonObject {
  return {
    ConnectionString: `mongodb://127.0.0.1:${port}/`,
    DatabaseName: DATABASE,
    CollectionName: collection,
    S3Configuration: { RoleARN: ROLE, BucketARN: 'arn:aws:s3:::errors' },
  }
}

/** All documents of a collection in the order of their ids. */
function stored(collection: string, options: object = {}): Promise<readonly Document[]> {
  const documents = theServer().client.db(DATABASE).collection(collection)
  return documents.find({}, { sort: { _id: 1 }, ...options }).toArray()
}

function idOf({ batch }: HandBatch, ordinal: number): string {
  return encodeRecordId(batch.batchId, ordinal)
}

function brief(failures: readonly RecordFailure[]) {
  return failures.map(({ ordinal, errorCode, retryable }) => [
    ordinal,
    errorCode,
    retryable ? 'pending' : 'refused',
  ])
}
