import type { JsonObject } from '../../src/base/json.ts'
import type { ExplainJob, ExplainedItem, ExplainedRecords } from '../../src/destination.ts'
import { bulkDocuments } from './bulk-request.ts'
import type { Document } from './bulk-request.ts'

const LINE_FEED = 0x0a

/** What the request would hold. How the index maps a document is for the server to say. */
export async function explainDocuments(job: ExplainJob): Promise<ExplainedRecords> {
  const { documents, refused } = await bulkDocuments(job)
  return { items: documents.map(explainDocument), refused }
}

function explainDocument({ ordinal, lines }: Document): ExplainedItem {
  const end = lines.indexOf(LINE_FEED)
  const action = JSON.parse(lines.toString('utf8', 0, end)) as Record<string, JsonObject>
  const [place = {}] = Object.values(action)
  return {
    ordinal,
    item: { ...place, _id: place['_id'] ?? 'drawn by the server' },
    data: lines.subarray(end + 1, -1),
  }
}
