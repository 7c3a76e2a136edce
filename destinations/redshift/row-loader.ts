/**
 * Loads records into a table piece by piece within one transaction, and finds the ones that the table
 * refuses.
 *
 * A piece is copied under a savepoint, in one part if that goes well. Of a part that fails, the row
 * that the server names is refused, and what stood before it is the next part. Where the server names
 * none for certain, parts are made smaller until one fails that is a single record. After that they
 * grow again.
 *
 * Each part that was copied costs the server a lock until the transaction ends, and it has some
 * thousands for all of its sessions. So the parts are taken back now and then, and what was copied of
 * the piece is copied again as a whole.
 */
import type { RecordFailure } from '../../src/destination.ts'
import type { DatabaseFailure } from './failure.ts'
import { isAboutRows } from './failure.ts'
import type { Session } from './session.ts'

/** A record on its way into the table, as lines of COPY's text format. */
export interface RecordToLoad {
  readonly ordinal: number
  readonly lines: readonly string[]
}

/** How lines get into the table: several statements, of which any may fail. */
export type CopyLines = (lines: readonly string[]) => Promise<void>

const PIECE_RECORDS_MAX = 5_000
const PIECE_CHARACTERS_MAX = 1024 * 1024
const PARTS_MAX = 100
const MESSAGE_CHARACTERS_MAX = 1_000
/** Nothing that a record holds can stand before it. */
const LINE = /^COPY [^,\n]*, line (\d+)(?:, column ([^:\n]+))?/

export class RowLoader {
  readonly refused: RecordFailure[] = []
  readonly #session: Session
  readonly #copyLines: CopyLines
  #piece: RecordToLoad[] = []
  #pieceCharacters = 0

  constructor(session: Session, copyLines: CopyLines) {
    this.#session = session
    this.#copyLines = copyLines
  }

  async add(record: RecordToLoad): Promise<void> {
    // An empty record is no row.
    if (record.lines.length === 0) return
    this.#piece.push(record)
    this.#pieceCharacters += record.lines.reduce((sum, line) => sum + line.length, 0)
    if (this.#piece.length < PIECE_RECORDS_MAX && this.#pieceCharacters < PIECE_CHARACTERS_MAX) {
      return
    }
    await this.flush()
  }

  refuse(ordinal: number, errorCode: string, errorMessage: string): void {
    this.refused.push({
      ordinal,
      errorCode,
      errorMessage: errorMessage.slice(0, MESSAGE_CHARACTERS_MAX),
      retryable: false,
      effect: 'none',
    })
  }

  /** Loads what has been added. */
  async flush(): Promise<void> {
    const left = this.#piece
    this.#piece = []
    this.#pieceCharacters = 0
    if (left.length === 0) return
    await this.#session.query('SAVEPOINT piece; SAVEPOINT part')
    const copied: RecordToLoad[] = []
    let partCount = 0
    let size = left.length
    let grownSize = 1
    for (let from = 0; from < left.length;) {
      const part = left.slice(from, from + size)
      const failure = await this.#copyPart(part)
      if (failure === undefined) {
        await this.#session.query('RELEASE SAVEPOINT part; SAVEPOINT part')
        copied.push(...part)
        partCount += 1
        from += part.length
        grownSize = part.length
        size = part.length * 2
      } else {
        const { index, isCertain } = failedRecord(part, failure)
        size = index === 0 ? grownSize : index
        if (!isCertain) continue
        const [refused] = left.splice(from + index, 1)
        if (refused) this.refuse(refused.ordinal, failure.code ?? '', messageOf(failure))
      }
      if (partCount < PARTS_MAX) continue
      await this.#copyAgain(copied)
      partCount = 0
    }
    if (partCount > 1) await this.#copyAgain(copied)
    await this.#session.query('RELEASE SAVEPOINT piece')
  }

  /** @returns why the table refused one of the records; then nothing is left of them */
  async #copyPart(records: readonly RecordToLoad[]): Promise<DatabaseFailure | undefined> {
    try {
      await this.#copyLines(records.flatMap(({ lines }) => lines))
      return undefined
    } catch (error) {
      if (!isAboutRows(error)) throw error
      await this.#session.query('ROLLBACK TO SAVEPOINT part')
      return error as DatabaseFailure
    }
  }

  /** What fails now was changed by somebody else meanwhile, and is for another attempt to see. */
  async #copyAgain(copied: readonly RecordToLoad[]): Promise<void> {
    await this.#session.query('ROLLBACK TO SAVEPOINT piece')
    if (copied.length > 0) await this.#copyLines(copied.flatMap(({ lines }) => lines))
    await this.#session.query('SAVEPOINT part')
  }
}

/**
 * Where the record stands that failed, or, while that isn't certain, where to cut. The server names a
 * line for certain when a value can't be read (class 22) or a constraint is broken (class 23); other
 * failures come when it writes rows in bulk.
 */
function failedRecord(
  records: readonly RecordToLoad[],
  { code = '', where = '' }: DatabaseFailure,
): { readonly index: number; readonly isCertain: boolean } {
  if (records.length === 1) return { index: 0, isCertain: true }
  let linesLeft = Number(LINE.exec(where)?.[1] ?? Infinity)
  const named = records.findIndex(({ lines }) => (linesLeft -= lines.length) <= 0)
  if (named !== -1 && /^2[23]/.test(code)) return { index: named, isCertain: true }
  return { index: Math.floor(records.length / 2), isCertain: false }
}

/** As Postgres says it, with the column, which it tells apart. */
function messageOf({ message, where = '' }: DatabaseFailure): string {
  const column = LINE.exec(where)?.[2]
  return column === undefined || message.includes(`"${column}"`)
    ? message
    : `${message} (column ${column})`
}
