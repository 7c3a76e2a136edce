/**
 * A request to an at-least-once destination is the same on every repeat. It is repeated only where its
 * answer was lost; when a process dies, the last request of a batch may be, whose answer was not kept
 * yet. A disk that failed excuses more.
 */
import type { Evidence } from './oracle.ts'
import type { Sending } from './simulated-endpoint.ts'

export function* repeatViolations({ endpoint, rotted }: Evidence): Generator<string> {
  const byRequest = Map.groupBy(endpoint.sendings, ({ requestId }) => requestId)
  /** Requests repeated though they were answered, by the process that knew, by batch. */
  const needless = new Map<Sending['owner'], Map<string, number>>()
  for (const [requestId, sendings] of byRequest) {
    const [first, ...others] = sendings.filter(({ refused }) => !refused)
    if (!rotted && others.some(({ body }) => body !== first?.body))
      yield `request ${requestId} was repeated with other bytes`
    for (const [index, { told, owner, batchId }] of sendings.entries()) {
      const later = sendings.slice(index + 1)
      if (!told || !owner.diskIsSound || later.length === 0) continue
      if (later.some((sending) => sending.owner === owner))
        yield `request ${requestId} was repeated by a process that had its answer`
      const counts = needless.get(owner) ?? new Map<string, number>()
      counts.set(batchId, (counts.get(batchId) ?? 0) + 1)
      needless.set(owner, counts)
    }
  }
  for (const counts of needless.values()) {
    for (const [batchId, count] of counts)
      if (count > 1) yield `${count} requests of ${batchId} were repeated after one death`
  }
}
