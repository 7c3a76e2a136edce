/**
 * The body of a bulk request: for each document a line that says what to do, and the record itself.
 *
 *   {"create":{"_index":"logs-2016-02-25","_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV00000000"}}
 *   {"the":"record"}
 *
 * With Firehose's ids the document's `_id` is the RecordId that the put was answered with, and
 * `create` refuses a second document of that id, so that a repeat is harmless. With NO_DOCUMENT_ID
 * the operation is `index`, the server draws the id, and a repeat makes a second document.
 */
import { isUtf8 } from 'node:buffer'
import type { BatchId } from '../../src/batch.ts'
import type { ExplainJob, RecordFailure } from '../../src/destination.ts'
import { encodeRecordId } from '../../src/record.ts'
import type { DocumentsTarget } from './document-outputs.ts'

export interface Document {
  readonly ordinal: number
  /** Both lines, each with its line feed. */
  readonly lines: Buffer
}

export interface BulkDocuments {
  readonly documents: readonly Document[]
  /** Records that can't be a document whatever the index. */
  readonly refused: readonly RecordFailure[]
}

const LINE_FEED = 0x0a
const END = Buffer.of(LINE_FEED)
const [OPENING_BRACE, CLOSING_BRACE] = [0x7b, 0x7d]
const WHITESPACE = new Set([0x20, 0x09, LINE_FEED, 0x0d])

/** Absent where the server draws it. */
export function documentId(
  { documentIds }: DocumentsTarget,
  batchId: BatchId,
  ordinal: number,
): string | undefined {
  return documentIds === 'FIREHOSE_DEFAULT' ? encodeRecordId(batchId, ordinal) : undefined
}

/** What is pending of the output, which is what one request holds. */
export async function bulkDocuments(
  job: Pick<ExplainJob, 'batch' | 'output' | 'records'>,
): Promise<BulkDocuments> {
  const target = job.output.target as DocumentsTarget
  const documents: Document[] = []
  const refused: RecordFailure[] = []
  for await (const group of job.records()) {
    for (const { ordinal, data } of group) {
      const source = trimmed(data)
      if (isObjectOnOneLine(source)) {
        const action = actionLine(target, documentId(target, job.batch.batchId, ordinal))
        documents.push({ ordinal, lines: Buffer.concat([Buffer.from(action), source, END]) })
      } else refused.push(notADocument(ordinal))
    }
  }
  return { documents, refused }
}

function actionLine({ index, type }: DocumentsTarget, id: string | undefined): string {
  const members = { _index: index, ...(type !== undefined && { _type: type }) }
  const action = id === undefined ? { index: members } : { create: { ...members, _id: id } }
  return `${JSON.stringify(action)}\n`
}

/** Many producers end a record with a line feed. */
function trimmed(data: Buffer): Buffer {
  let start = 0
  let end = data.byteLength
  while (start < end && WHITESPACE.has(data[start] ?? 0)) start += 1
  while (end > start && WHITESPACE.has(data[end - 1] ?? 0)) end -= 1
  return data.subarray(start, end)
}

/**
 * Whether the record keeps its place among the request's lines. If it is JSON besides is for the
 * server to judge, which answers for each document.
 */
function isObjectOnOneLine(source: Buffer): boolean {
  return (
    source[0] === OPENING_BRACE &&
    source.at(-1) === CLOSING_BRACE &&
    !source.includes(LINE_FEED) &&
    isUtf8(source)
  )
}

function notADocument(ordinal: number): RecordFailure {
  return {
    ordinal,
    errorCode: '400',
    errorMessage: 'Cannot index: the record is not a JSON object on a single line of UTF-8',
    retryable: false,
    effect: 'none',
  }
}
