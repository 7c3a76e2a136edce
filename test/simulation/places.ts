/** Where each record is when a simulation is over, gathered from all that stands outside the machine. */
import type { Json } from '../../src/base/json.ts'
import type { SimulatedEndpoint } from './simulated-endpoint.ts'
import { withoutCall } from './simulated-functions.ts'
import type { SimulatedIndex } from './simulated-index.ts'
import type { SimulatedBuckets } from './simulated-object-store.ts'
import { COPY_PREFIX, ERROR_FOLDER, failedBucketOf } from './streams.ts'

export interface Outside {
  readonly buckets: SimulatedBuckets
  readonly index: SimulatedIndex
  readonly endpoint: SimulatedEndpoint
}

/** As AWS has it, and what the destination adds. */
interface ErrorLine {
  readonly errorCode: string
  readonly attemptsMade: number
  readonly rawData: string
  readonly target?: Json
}

/** A record in an error output. */
export interface ErrorRecord {
  /** `bucket/key` of its object. */
  readonly name: string
  readonly text: string
  readonly line: ErrorLine
  /** It was a processor that failed it, and no destination that refused it. */
  readonly isOfProcessing: boolean
}

/** A record, whole or as a function left it, and the name of the place where it is. */
export interface PlacedRecord {
  readonly text: string
  readonly name: string
}

/** The names of the places where a record is, by its text before a function changed it. */
type Names = ReadonlyMap<string, readonly string[]>

export class Places {
  /** At the destination. */
  readonly delivered: Names
  readonly errored: readonly ErrorRecord[]
  /** In the error output: names of objects. */
  readonly refused: Names
  readonly copied: Names
  /** What is at destinations, and what they refused, as it is there; by the text before. */
  readonly transformed: ReadonlyMap<string, readonly PlacedRecord[]>
  /** What processors failed, by its text. */
  readonly failed: ReadonlyMap<string, readonly ErrorRecord[]>

  constructor(outside: Outside) {
    const objects = [...outside.buckets.objects]
    const isCopy = (name: string): boolean =>
      name.startsWith(failedBucketOf('')) && name.includes(`/${COPY_PREFIX}`)
    const isErrors = (name: string): boolean => name.includes(`/${ERROR_FOLDER}`)
    this.errored = objects
      .filter(([name]) => isErrors(name))
      .flatMap(([name, bytes]) => errorRecordsOf(name, bytes))
    this.refused = namesOf(this.errored)
    this.copied = namesOf(
      objects
        .filter(([name]) => isCopy(name))
        .flatMap(([name, bytes]) => copiesIn(bytes).map((text) => ({ text, name }))),
    )
    const delivered: PlacedRecord[] = [
      ...objects
        .filter(([name]) => !isErrors(name) && !isCopy(name))
        .flatMap(([name, bytes]) => linesOf(bytes).map((text) => ({ text, name }))),
      ...[...outside.index.documents].map(([name, text]) => ({ text, name })),
      ...this.#requested(outside.endpoint),
    ]
    this.delivered = namesOf(delivered)
    const refused = this.errored.filter(({ isOfProcessing }) => !isOfProcessing)
    this.transformed = byText([...delivered, ...refused])
    this.failed = byText(this.errored.filter(({ isOfProcessing }) => isOfProcessing))
  }

  /**
   * A request counts once, however often it was taken. Where its last sender never learned of that, it
   * may have given the records up: they are in the error output then, and count there only.
   */
  #requested({ sendings }: SimulatedEndpoint): PlacedRecord[] {
    const refused = new Set(this.errored.map(({ text }) => text))
    const told = new Map(sendings.map((sending) => [sending.requestId, sending.told]))
    const taken = sendings.filter((sending) => sending.taken)
    const records = new Map<string, PlacedRecord>()
    for (const { requestId, body } of taken) {
      for (const text of body.split('\n')) {
        if (refused.has(text) && told.get(requestId) !== true) continue
        records.set(`${requestId} ${text}`, { text, name: requestId })
      }
    }
    return [...records.values()]
  }
}

export function linesOf(bytes: Buffer): string[] {
  return bytes.byteLength === 0 ? [] : bytes.toString('latin1').split('\n')
}

/** The records that one becomes when it is taken apart. */
export function partsOf(record: string): string[] {
  return record.startsWith('{') ? record.split(/(?<=\})/) : [record]
}

/** Whether a record, or a part of one, is of a stream. */
export function isOf(streamId: string, text: string): boolean {
  return text.startsWith(`${streamId}:`) || text.startsWith(`{"${streamId}:`)
}

function errorRecordsOf(name: string, bytes: Buffer): ErrorRecord[] {
  const isOfProcessing = PROCESSING_FOLDERS.some((folder) => name.includes(folder))
  const lines = bytes.toString().split('\n').slice(0, -1)
  return lines.map((line) => {
    const parsed = JSON.parse(line) as ErrorLine
    const text = Buffer.from(parsed.rawData, 'base64').toString('latin1')
    return { name, text, line: parsed, isOfProcessing }
  })
}

const PROCESSING_FOLDERS = ['processing-failed', 'activePartitionExceeded'].map(
  (errorOutputType) => `/${ERROR_FOLDER}${errorOutputType}/`,
)

/** Nothing stands between them; each begins with the name of its stream, the parts of objects, too. */
function copiesIn(bytes: Buffer): string[] {
  const text = bytes.toString('latin1')
  return text === ''
    ? []
    : text.split(/(?=\{"[a-z]+-\d:)|(?<!\{")(?=(?:objects|index|endpoint)-\d:)/)
}

function namesOf(records: readonly PlacedRecord[]): Names {
  return new Map(
    [...byText(records)].map(([text, places]) => [text, places.map(({ name }) => name)]),
  )
}

function byText<Kind extends PlacedRecord>(records: readonly Kind[]): Map<string, Kind[]> {
  return Map.groupBy(records, ({ text }) => withoutCall(text))
}
