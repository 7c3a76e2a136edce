import type { Document } from 'mongodb'
import { startMongoServer } from '../../test/servers/mongodb.ts'
import { BufferingHints, S3Configuration } from './destination-bench.ts'
import type { DestinationPlan } from './destination-bench.ts'

const DATABASE = 'bench'
const COLLECTION = 'logs'
/** Characters, as in a RecordId. */
const ID_LENGTH = 34

export const mongoDB: DestinationPlan = {
  name: 'MongoDB',
  recordCount: 50_000,
  needs: 'mongod, or Go for FerretDB',
  async open() {
    const server = await startMongoServer()
    if (server === undefined) return undefined
    const collection = server.client.db(DATABASE).collection(COLLECTION)
    let documentCount = 0
    return {
      stream: {
        MongoDBDestinationConfiguration: {
          ConnectionString: `mongodb://127.0.0.1:${server.port}/`,
          DatabaseName: DATABASE,
          CollectionName: COLLECTION,
          BufferingHints,
          S3Configuration,
        },
      },
      bareSends: async (batches) =>
        batches.map((batch) => {
          const documents = batch.map((record): Document => {
            documentCount += 1
            const _id = String(documentCount).padStart(ID_LENGTH, '0')
            return { _id, ...(JSON.parse(record.toString()) as object) }
          })
          return () => collection.insertMany(documents, { ordered: false })
        }),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    }
  },
}
