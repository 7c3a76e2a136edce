/** Where each record is when a simulation is over, gathered from all that stands outside the machine. */
import type { Json } from '../../src/base/json.ts'
import type { SimulatedEndpoint } from './simulated-endpoint.ts'
import type { SimulatedIndex } from './simulated-index.ts'
import type { SimulatedBuckets } from './simulated-object-store.ts'
import { COPY_PREFIX, failedBucketOf } from './streams.ts'

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
  readonly target: Json
}

/** A record in an error output. */
export interface ErrorRecord {
  /** `bucket/key` of its object. */
  readonly name: string
  readonly text: string
  readonly line: ErrorLine
}

/** The names of the places where a record is, by its text. */
type Names = ReadonlyMap<string, readonly string[]>

export class Places {
  /** At the destination. */
  readonly delivered: Names
  readonly errored: readonly ErrorRecord[]
  /** In the error output: names of objects. */
  readonly refused: Names
  readonly copied: Names

  constructor(outside: Outside) {
    const objects = [...outside.buckets.objects]
    const isFailed = (name: string): boolean => name.startsWith(failedBucketOf(''))
    const isCopy = (name: string): boolean => isFailed(name) && name.includes(`/${COPY_PREFIX}`)
    this.errored = objects
      .filter(([name]) => isFailed(name) && !isCopy(name))
      .flatMap(([name, bytes]) => errorRecordsOf(name, bytes))
    this.refused = namesOf(this.errored.map(({ text, name }) => [text, name]))
    this.copied = namesOf(
      objects
        .filter(([name]) => isCopy(name))
        .flatMap(([name, bytes]) => copiesIn(bytes).map((text) => [text, name] as const)),
    )
    this.delivered = namesOf([
      ...objects
        .filter(([name]) => !isFailed(name))
        .flatMap(([name, bytes]) => linesOf(bytes).map((text) => [text, name] as const)),
      ...[...outside.index.documents].map(([name, text]) => [text, name] as const),
      ...this.#requested(outside.endpoint),
    ])
  }

  /**
   * A request counts once, however often it was taken. Where its last sender never learned of that, it
   * may have given the records up: they are in the error output then, and count there only.
   */
  #requested({ sendings }: SimulatedEndpoint): [string, string][] {
    const told = new Map(sendings.map((sending) => [sending.requestId, sending.told]))
    const taken = sendings.filter((sending) => sending.taken)
    const names = new Map<string, [string, string]>()
    for (const { requestId, body } of taken) {
      for (const text of body.split('\n')) {
        if (this.refused.has(text) && told.get(requestId) !== true) continue
        names.set(`${requestId} ${text}`, [text, requestId])
      }
    }
    return [...names.values()]
  }
}

export function linesOf(bytes: Buffer): string[] {
  return bytes.byteLength === 0 ? [] : bytes.toString('latin1').split('\n')
}

function errorRecordsOf(name: string, bytes: Buffer): ErrorRecord[] {
  const lines = bytes.toString().split('\n').slice(0, -1)
  return lines.map((line) => {
    const parsed = JSON.parse(line) as ErrorLine
    return { name, text: Buffer.from(parsed.rawData, 'base64').toString('latin1'), line: parsed }
  })
}

/** Nothing stands between them; each begins with the name of its stream. */
function copiesIn(bytes: Buffer): string[] {
  return bytes.toString('latin1').split(/(?=index-2:|endpoint-3:)/)
}

function namesOf(places: readonly (readonly [text: string, name: string])[]): Names {
  const names = new Map<string, string[]>()
  for (const [text, name] of places) {
    const known = names.get(text)
    if (known === undefined) names.set(text, [name])
    else known.push(name)
  }
  return names
}
