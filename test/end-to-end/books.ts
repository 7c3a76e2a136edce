import { setTimeout as sleep } from 'node:timers/promises'
import type { Books } from '../../src/receipt.ts'
import type { HttpClient } from './http-client.ts'

export interface StreamBooks extends Books {
  readonly pending: number
}

const SETTLE_MS_MAX = 60_000
/** Longer than a batch is on its way from the buffer to the queue, where it counts nowhere. */
const QUIET_MS = 300

/** The books of a stream as `GET /streams/{name}` tells them. */
export async function readBooks(client: HttpClient, name: string): Promise<StreamBooks> {
  const { status, body } = await client.get(`/streams/${name}`)
  if (status !== 200) throw new Error(`Cannot read books of ${name}: ${status}`)
  const books = body['Books'] as Record<string, number>
  return {
    accepted: books['Accepted'] ?? NaN,
    made: books['Made'] ?? NaN,
    delivered: books['Delivered'] ?? NaN,
    dropped: books['Dropped'] ?? NaN,
    errored: books['Errored'] ?? NaN,
    quarantined: books['Quarantined'] ?? NaN,
    pending: books['Pending'] ?? NaN,
  }
}

export function balanced(books: StreamBooks): boolean {
  const { accepted, made, delivered, dropped, errored, quarantined, pending } = books
  return accepted + made === delivered + dropped + errored + quarantined + pending
}

/** The books when nothing is pending any more and they stand still; else as they are in the end. */
export async function settledBooks(client: HttpClient, name: string): Promise<StreamBooks> {
  const deadlineMs = performance.now() + SETTLE_MS_MAX
  let last = await readBooks(client, name)
  for (;;) {
    await sleep(QUIET_MS)
    const books = await readBooks(client, name)
    const still = books.pending === 0 && balanced(books) && books.accepted === last.accepted
    if (still || performance.now() > deadlineMs) return books
    last = books
  }
}
