import type { JsonObject } from '../../src/base/json.ts'

/**
 * What the clients know: which records the service acknowledged, which it refused, and which they
 * never heard of again. Compared with what lies in the objects, it tells what was lost or doubled.
 */
export interface Finding {
  readonly id: string
  readonly problem: 'lost' | 'doubled' | 'refused but delivered' | 'never sent'
}

/**
 * Whether a record that was refused is certainly not there. Beside a Redis it may be: its answer to the
 * append may have been lost, or replicas not have answered in time.
 */
export type Refusal = 'is final' | 'may be none'

export class Ledger {
  /** Record ids by id, in the order of their acknowledgement. */
  readonly acknowledged = new Map<string, string>()
  readonly #unanswered = new Set<string>()
  readonly #refused = new Set<string>()
  readonly #refusal: Refusal

  constructor(refusal: Refusal = 'is final') {
    this.#refusal = refusal
  }

  acknowledge(id: string, recordId: string): void {
    this.acknowledged.set(id, recordId)
  }

  refuse(id: string): void {
    this.#refused.add(id)
  }

  /** The connection broke: the record may have been accepted or not. */
  leaveOpen(id: string): void {
    this.#unanswered.add(id)
  }

  /** Enters an answer to PutRecordBatch; tells how many records were refused. */
  enter(ids: readonly string[], status: number, body: JsonObject): number {
    if (status !== 200 && status !== 503) {
      throw new Error(`Unexpected answer: ${status} ${JSON.stringify(body)}`)
    }
    const responses = (body['RequestResponses'] ?? []) as JsonObject[]
    let refusedCount = 0
    for (const [index, id] of ids.entries()) {
      const recordId = responses[index]?.['RecordId']
      if (status === 200 && typeof recordId === 'string') this.acknowledge(id, recordId)
      else {
        if (this.#refusal === 'is final') this.refuse(id)
        else this.leaveOpen(id)
        refusedCount += 1
      }
    }
    return refusedCount
  }

  /** @param delivered every id that was found in an object, as often as it was found */
  findings(delivered: Iterable<string>): Finding[] {
    const counts = new Map<string, number>()
    for (const id of delivered) counts.set(id, (counts.get(id) ?? 0) + 1)
    const findings: Finding[] = []
    for (const id of this.acknowledged.keys()) {
      if (!counts.has(id)) findings.push({ id, problem: 'lost' })
    }
    for (const [id, count] of counts) {
      if (count > 1) findings.push({ id, problem: 'doubled' })
      if (this.#refused.has(id)) findings.push({ id, problem: 'refused but delivered' })
      else if (!this.acknowledged.has(id) && !this.#unanswered.has(id)) {
        findings.push({ id, problem: 'never sent' })
      }
    }
    return findings
  }
}
