/**
 * How many entries went before they were read. A stream counts what was ever added to it (`entries-added`);
 * the reader counts what it had of it. Where it stands at the stream's end, or before all that is left, the
 * difference beyond what is left is what went. The server's own count for the group can't be relied on for
 * this: Redis 7.0 goes on counting by one over what a trim took. Nor is what a reader begins with always
 * right: a Redis that has loaded its append-only file knows what the group was given, and counts less. So
 * nothing has gone, whatever the counts say, while the stream still goes back to where it was last whole.
 */
import { compareIds, idMs, laterId } from './entry-id.ts'

/** What XINFO STREAM tells; added is unknown before Redis 7. */
export interface StreamFacts {
  readonly length: number
  readonly addedCount: number | undefined
  /** Of the first entry; undefined when there is none. */
  readonly firstId: string | undefined
  /** Of the last entry that ever was. */
  readonly lastId: string
  /** The highest that was ever deleted, not trimmed; unknown before Redis 7. */
  readonly deletedId: string | undefined
}

export interface Shortfall {
  /** Undefined: it can't be told, for the stream is another than before. */
  readonly lostCount: number | undefined
}

export class EntryCount {
  /** Entries up to the position that were ever added; undefined: not known yet. */
  #passed: number | undefined
  /** Nothing after it had gone when the stream was last looked at. */
  #wholeAfter: string | undefined

  get passed(): number | undefined {
    return this.#passed
  }

  /** @param position up to which all was read, or given up */
  reset(passed: number | undefined, position: string): void {
    this.#passed = passed
    this.#wholeAfter = position
  }

  read(count: number): void {
    if (this.#passed !== undefined) this.#passed += count
  }

  /** @returns what went since the last time, if anything did */
  compare(facts: StreamFacts, position: string): Shortfall | undefined {
    const isWhole = this.#wholeAfter !== undefined && isWholeAfter(facts, this.#wholeAfter)
    const leftCount = countAfter(facts, position)
    if (isWhole || leftCount !== undefined) this.#wholeAfter = position
    if (facts.addedCount === undefined || leftCount === undefined) return undefined
    const passed = facts.addedCount - leftCount
    const lostCount = this.#passed === undefined ? 0 : passed - this.#passed
    this.#passed = passed
    if (lostCount === 0 || (lostCount > 0 && isWhole)) return undefined
    return { lostCount: lostCount > 0 ? lostCount : undefined }
  }

  /** How many entries are still to be read. */
  lag(facts: StreamFacts, position: string): number | undefined {
    const leftCount = countAfter(facts, position)
    if (leftCount !== undefined) return leftCount
    if (facts.addedCount === undefined || this.#passed === undefined) return undefined
    return Math.max(0, facts.addedCount - this.#passed)
  }
}

function isWholeAfter({ firstId, deletedId }: StreamFacts, position: string): boolean {
  if (firstId === undefined || compareIds(firstId, position) > 0) return false
  return deletedId !== undefined && compareIds(deletedId, position) <= 0
}

/** Undefined when the position is somewhere in the middle of what is left. */
function countAfter(
  { length, firstId, lastId }: StreamFacts,
  position: string,
): number | undefined {
  if (firstId === undefined || compareIds(position, lastId) >= 0) return 0
  return compareIds(position, firstId) < 0 ? length : undefined
}

/** Between the last entry and the position; what went before the first that is left counts no more. */
export function behindLatestMs({ firstId, lastId }: StreamFacts, position: string): number {
  return Math.max(0, idMs(lastId) - idMs(laterId(position, firstId ?? lastId)))
}
