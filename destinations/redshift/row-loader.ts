/**
 * Loads records into a table piece by piece within one transaction, and finds the ones that the table
 * refuses. Each piece is copied under a savepoint. When that fails, the piece is narrowed down to
 * what comes before the row that the server names (or to its half, where it names none), down to a
 * single record, which then is refused for the reason that the server gives. After that the pieces
 * grow again. So each record was either copied, or was refused when it was tried by itself.
 */
import type { RecordFailure } from '../../src/destination.ts'
import type { DatabaseFailure } from './failure.ts'
import { isAboutRows, isFatal } from './failure.ts'
import type { Session } from './session.ts'

/** A record on its way into the table, as lines of COPY's text format. */
export interface RecordToLoad {
  readonly ordinal: number
  readonly lines: readonly string[]
}

/** How lines get into the table: several statements, of which any may fail. */
export type CopyLines = (lines: readonly string[]) => Promise<void>

const PIECE_RECORDS_MAX = 2_000
const PIECE_CHARACTERS_MAX = 1024 * 1024
const MESSAGE_CHARACTERS_MAX = 1_000
const LINE = /^COPY .*, line (\d+)/

export class RowLoader {
  readonly refused: RecordFailure[] = []
  readonly #session: Session
  readonly #copyLines: CopyLines
  #piece: RecordToLoad[] = []
  #pieceCharacters = 0
  #trySize = PIECE_RECORDS_MAX

  constructor(session: Session, copyLines: CopyLines) {
    this.#session = session
    this.#copyLines = copyLines
  }

  async add(record: RecordToLoad): Promise<void> {
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
    const piece = this.#piece
    this.#piece = []
    this.#pieceCharacters = 0
    let grownSize = 1
    for (let from = 0; from < piece.length;) {
      const part = piece.slice(from, from + this.#trySize)
      const failure = await this.#try(part)
      const [first] = part
      if (failure === undefined) {
        from += part.length
        grownSize = part.length
        this.#trySize = Math.min(PIECE_RECORDS_MAX, part.length * 2)
      } else if (part.length > 1) {
        this.#trySize = smallerSize(part, failure)
      } else if (first !== undefined) {
        this.refuse(first.ordinal, failure.code ?? '', messageOf(failure))
        from += 1
        this.#trySize = grownSize
      }
    }
  }

  /** @returns why the table refused one of the records */
  async #try(records: readonly RecordToLoad[]): Promise<DatabaseFailure | undefined> {
    const lines = records.flatMap((record) => record.lines)
    if (lines.length === 0) return undefined
    await this.#session.query('SAVEPOINT standpipe')
    try {
      await this.#copyLines(lines)
      await this.#session.query('RELEASE SAVEPOINT standpipe')
      return undefined
    } catch (error) {
      if (isFatal(error) || !isAboutRows(error)) throw error
      await this.#session.query('ROLLBACK TO SAVEPOINT standpipe')
      return error as DatabaseFailure
    }
  }
}

/** How many records stand before the one that failed; one at least, and fewer than were tried. */
function smallerSize(records: readonly RecordToLoad[], { where = '' }: DatabaseFailure): number {
  let linesLeft = Number(LINE.exec(where)?.[1] ?? Infinity)
  const failed = records.findIndex(({ lines }) => (linesLeft -= lines.length) <= 0)
  if (failed === -1) return Math.floor(records.length / 2)
  return Math.max(1, failed)
}

/** As Postgres says it, with the column, which it tells apart. */
function messageOf({ message, where = '' }: DatabaseFailure): string {
  const column = /, column ([^:]+)/.exec(where)?.[1]
  return column === undefined || message.includes(`"${column}"`)
    ? message
    : `${message} (column ${column})`
}
