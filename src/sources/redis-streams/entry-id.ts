/**
 * Ids of entries: `ms-number`, two numbers of 64 bits, in the order in which a stream has them. They are
 * compared as decimal digits, for a double does not hold them.
 */

/** Above every id of one millisecond. */
const NUMBER_MAX = '18446744073709551615'
/** Below every id. */
export const ID_MIN = '0-0'

/** Negative when `first` comes before `second`. */
export function compareIds(first: string, second: string): number {
  const [firstMs = '', firstNumber = '0'] = first.split('-')
  const [secondMs = '', secondNumber = '0'] = second.split('-')
  return compareDigits(firstMs, secondMs) || compareDigits(firstNumber, secondNumber)
}

function compareDigits(first: string, second: string): number {
  if (first.length !== second.length) return first.length - second.length
  if (first === second) return 0
  return first < second ? -1 : 1
}

export function laterId(first: string, second: string): string {
  return compareIds(first, second) < 0 ? second : first
}

export function earlierId(first: string, second: string): string {
  return compareIds(first, second) < 0 ? first : second
}

/** The last id before all of that millisecond and of those that follow. */
export function idBefore(ms: number): string {
  return ms <= 0 ? ID_MIN : `${Math.floor(ms) - 1}-${NUMBER_MAX}`
}

/** When an entry was added, where its id was left to the server. */
export function idMs(id: string): number {
  return Number(id.split('-')[0])
}
