/** What the engine and a process that runs SQL say to each other, one conversation at a time. */

/** `check` is a conversation; so is `begin`, any number of `records`, and `end`. */
export type SqlRequest =
  | { readonly kind: 'check' | 'begin'; readonly query: string }
  | { readonly kind: 'records'; readonly records: RecordPack }
  | { readonly kind: 'end' }

/** Each conversation ends with `done` or `failed`; any number of `rows` come before. */
export type SqlReply =
  | { readonly kind: 'rows'; readonly rows: RecordPack }
  | { readonly kind: 'done'; readonly rejected: readonly Rejected[] }
  | SqlFailure

/** A record that the query does not get to see. */
export interface Rejected {
  readonly index: number
  readonly reason: string
}

export interface SqlFailure {
  readonly kind: 'failed'
  /** DuckDB can't be had; the query is no good, or not for these records; the process ended. */
  readonly reason: 'unavailable' | 'query' | 'ended'
  readonly message: string
}

/** Many pieces of bytes, one after the other. */
export interface RecordPack {
  readonly lengths: readonly number[]
  readonly bytes: Uint8Array
}

export function pack(pieces: readonly Uint8Array[]): RecordPack {
  return { lengths: pieces.map(({ byteLength }) => byteLength), bytes: Buffer.concat(pieces) }
}

/** The pieces, in the memory of the pack. */
export function* unpack({ lengths, bytes }: RecordPack): Generator<Buffer> {
  let start = bytes.byteOffset
  for (const length of lengths) {
    yield Buffer.from(bytes.buffer, start, length)
    start += length
  }
}

/** Cuts into runs of about `runBytes`, so that no message is large. */
export function* inRuns<Piece extends { readonly byteLength: number }>(
  pieces: Iterable<Piece>,
  runBytes: number,
): Generator<readonly Piece[]> {
  let run: Piece[] = []
  let heldBytes = 0
  for (const piece of pieces) {
    run.push(piece)
    heldBytes += piece.byteLength + 8
    if (heldBytes < runBytes) continue
    yield run
    run = []
    heldBytes = 0
  }
  if (run.length > 0) yield run
}
