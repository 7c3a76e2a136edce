import type {
  FunctionAnswer,
  FunctionLease,
  Functions,
  TransformationEvent,
  TransformationRecord,
} from '../../src/functions.ts'

/** @returns the answer, which is taken through JSON; @throws InvocationError where there is none */
export type Script = (event: TransformationEvent, signal: AbortSignal) => unknown

/** What each record of an answer is. */
export interface Answered {
  readonly recordId?: unknown
  readonly result?: unknown
  readonly data?: unknown
  readonly metadata?: unknown
}

/** One function that does as a script says, and remembers who asked it for what. */
export class ScriptedFunctions implements Functions {
  readonly events: TransformationEvent[] = []
  /** ARNs, one for each lease that was given. */
  readonly leased: string[] = []
  releasedCount = 0
  outstanding = 0
  outstandingMax = 0
  readonly #script: Script

  constructor(script: Script) {
    this.#script = script
  }

  find(arn: string): Promise<string> {
    return Promise.resolve(`script ${arn}`)
  }

  lease(arn: string): Promise<FunctionLease> {
    this.leased.push(arn)
    return Promise.resolve({
      invoke: async (event, signal) => await this.#invoke(event, signal),
      release: () => void (this.releasedCount += 1),
    })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  async #invoke(event: TransformationEvent, signal: AbortSignal): Promise<FunctionAnswer> {
    // Taken as it is now: what a caller does to it afterwards must not show.
    const json = JSON.stringify(event)
    this.events.push(JSON.parse(json) as TransformationEvent)
    this.outstanding += 1
    this.outstandingMax = Math.max(this.outstandingMax, this.outstanding)
    try {
      const answer = JSON.stringify((await this.#script(event, signal)) ?? null)
      return { value: JSON.parse(answer) as unknown, sizeBytes: Buffer.byteLength(answer) }
    } finally {
      this.outstanding -= 1
    }
  }
}

/** A script that answers record by record. */
export function eachRecord(answer: (record: TransformationRecord) => Answered | undefined): Script {
  return ({ records }) => ({
    records: records.map(answer).filter((answered) => answered !== undefined),
  })
}

/** Gives the record back, its text put into capitals. */
export function capitals({ recordId, data }: TransformationRecord): Answered {
  const text = Buffer.from(data, 'base64').toString().toUpperCase()
  return { recordId, result: 'Ok', data: Buffer.from(text).toString('base64') }
}
