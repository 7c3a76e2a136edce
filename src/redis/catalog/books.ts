import { EMPTY_BOOKS } from '../../receipt.ts'
import type { Books, Receipt } from '../../receipt.ts'
import type { Accounting } from '../../manifest.ts'

/** The columns of the books, which are the fields of a lane's hash. */
export const BOOK_COLUMNS = Object.keys(EMPTY_BOOKS) as (keyof Books)[]

/** The books out of the values of all columns, in their order; null: nothing was entered. */
export function booksOf(values: readonly (string | null)[]): Books {
  const entries = BOOK_COLUMNS.map((column, index) => [column, Number(values[index] ?? 0)])
  return Object.fromEntries(entries) as Books
}

export function sumOfBooks(all: readonly Books[]): Books {
  const entries = BOOK_COLUMNS.map((column) => [
    column,
    all.reduce((sum, books) => sum + books[column], 0),
  ])
  return Object.fromEntries(entries) as Books
}

/** What a receipt adds to the books, besides what was accepted. */
export function entriesOf(receipt: Receipt): Omit<Books, 'accepted'> {
  return {
    made: receipt.madeCount ?? 0,
    delivered: countOf(receipt, 'delivered'),
    dropped: receipt.droppedCount,
    errored: countOf(receipt, 'errored'),
    quarantined: receipt.quarantinedCount,
  }
}

function countOf({ outputs }: Receipt, accounting: Accounting): number {
  return outputs.reduce(
    (sum, output) => (output.accounting === accounting ? sum + output.recordCount : sum),
    0,
  )
}
