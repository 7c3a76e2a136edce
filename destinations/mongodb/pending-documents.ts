import { BSON } from 'mongodb'
import type { ExplainJob, ExplainedRecords, RecordFailure } from '../../src/destination.ts'
import { encodeRecordId } from '../../src/record.ts'
import { InvalidRecord, toDocument } from './document.ts'
import type { PendingDocument } from './document.ts'

/** What is pending of the output, and what of it can't be a document whatever the collection. */
export async function readDocuments(job: Pick<ExplainJob, 'batch' | 'records'>): Promise<{
  readonly documents: readonly PendingDocument[]
  readonly refused: readonly RecordFailure[]
}> {
  const documents: PendingDocument[] = []
  const refused: RecordFailure[] = []
  for await (const records of job.records()) {
    for (const { ordinal, data } of records) {
      try {
        documents.push(toDocument(data, ordinal, encodeRecordId(job.batch.batchId, ordinal)))
      } catch (error) {
        if (!(error instanceof InvalidRecord)) throw error
        const { message: errorMessage } = error
        const errorCode = 'MongoDB.InvalidRecord'
        refused.push({ ordinal, errorCode, errorMessage, retryable: false, effect: 'none' })
      }
    }
  }
  return { documents, refused }
}

/** Documents in canonical Extended JSON, which tells each value's type. */
export async function explainDocuments(job: ExplainJob): Promise<ExplainedRecords> {
  const { documents, refused } = await readDocuments(job)
  const items = documents.map(({ ordinal, document }) => {
    const _id = BSON.EJSON.serialize({ _id: document['_id'] }, { relaxed: false })
    const data = Buffer.from(BSON.EJSON.stringify(document, { relaxed: false }))
    return { ordinal, item: _id as { _id: string }, data }
  })
  return { items, refused }
}
