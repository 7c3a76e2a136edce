/**
 * Inserts documents, many in one unordered call. The ids are fixed, so that a repeat finds what an
 * earlier attempt has left: a duplicate key is looked at, and means
 *
 *   the record's id is in the collection              done, by an earlier attempt
 *   its own `_id` is, with exactly this document      done, by an earlier attempt or somebody else
 *   its own `_id` is, with another document           refused
 *   neither: some other unique index has said no      refused
 */
import type { Collection, MongoBulkWriteError } from 'mongodb'
import { BSON } from 'mongodb'
import type { Connections } from '../../src/connections.ts'
import type { DeliverJob, RecordFailure } from '../../src/destination.ts'
import type { MongoDBConfiguration } from './configuration.ts'
import type { PendingDocument } from './document.ts'
import type { DocumentsTarget } from './document-groups.ts'
import { MongoClients } from './mongo-clients.ts'
import { readDocuments } from './pending-documents.ts'
import {
  deliveryError,
  DUPLICATE_KEY,
  isOfDocuments,
  unlessAborted,
  writeFailure,
} from './write-failure.ts'

export class DocumentWriter {
  readonly #clients: MongoClients

  constructor(connections: Connections) {
    this.#clients = new MongoClients(connections)
  }

  /**
   * One attempt at the job's pending records.
   * @throws DeliveryError
   */
  async write(
    configuration: MongoDBConfiguration,
    job: DeliverJob,
  ): Promise<readonly RecordFailure[]> {
    const { documents, refused } = await readDocuments(job)
    if (documents.length === 0) return refused
    const client = await this.#clients.open(configuration)
    const { database, collection } = job.output.target as DocumentsTarget
    const inserting = insert(client.db(database).collection(collection), documents)
    return [...refused, ...(await unlessAborted(inserting, job.signal))]
  }

  async close(): Promise<void> {
    await this.#clients.close()
  }
}

/** @throws DeliveryError */
async function insert(
  collection: Collection,
  documents: readonly PendingDocument[],
): Promise<readonly RecordFailure[]> {
  try {
    await collection.insertMany(
      documents.map(({ document }) => document),
      { ordered: false },
    )
    return []
  } catch (error) {
    if (!isOfDocuments(error)) throw deliveryError(error)
    return await failures(collection, documents, error)
  }
}

async function failures(
  collection: Collection,
  documents: readonly PendingDocument[],
  { writeErrors }: MongoBulkWriteError,
): Promise<readonly RecordFailure[]> {
  const errors = [writeErrors].flat().flatMap((error) => {
    const pending = documents[error.index]
    return pending === undefined ? [] : [{ pending, error }]
  })
  const duplicates = errors.filter(({ error }) => error.code === DUPLICATE_KEY)
  const stored = await findStored(
    collection,
    duplicates.map(({ pending }) => pending),
  )
  return errors
    .filter(({ pending, error }) => error.code !== DUPLICATE_KEY || !isStored(pending, stored))
    .map(({ pending, error }) => writeFailure(pending.ordinal, error))
}

/**
 * What the collection has under the documents' ids, as it is stored.
 * @throws DeliveryError
 */
async function findStored(
  collection: Collection,
  documents: readonly PendingDocument[],
): Promise<ReadonlyMap<string, Uint8Array>> {
  if (documents.length === 0) return new Map()
  const ids = documents.map(({ document }) => document['_id'] as BSON.ObjectId)
  const found = collection.find(
    { _id: { $in: ids } },
    // Of ours the id says all.
    documents.some(({ hasOwnId }) => hasOwnId)
      ? { raw: true }
      : { raw: true, projection: { _id: 1 } },
  )
  try {
    const stored = (await found.toArray()) as unknown as readonly Uint8Array[]
    return new Map(
      stored.map((bytes) => [idKey(BSON.deserialize(bytes, { promoteValues: false })), bytes]),
    )
  } catch (error) {
    throw deliveryError(error, true)
  }
}

function isStored(
  { document, hasOwnId }: PendingDocument,
  stored: ReadonlyMap<string, Uint8Array>,
): boolean {
  const bytes = stored.get(idKey(document))
  if (bytes === undefined) return false
  return !hasOwnId || Buffer.compare(bytes, BSON.serialize(document)) === 0
}

function idKey({ _id }: BSON.Document): string {
  return Buffer.from(BSON.serialize({ _id })).toString('base64')
}
