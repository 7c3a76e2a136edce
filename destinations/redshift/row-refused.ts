/** A record that makes no rows of its table; said in the code that Postgres has for it. */
export class RowRefused extends Error {
  override readonly name = 'RowRefused'
  /** A SQLSTATE. */
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

export const BAD_COPY_FORMAT = '22P04'
export const INVALID_TEXT = '22021'
export const INVALID_DATETIME = '22007'
export const INVALID_JSON = '22032'
export const NOT_NULL_VIOLATION = '23502'
