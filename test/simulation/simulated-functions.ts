/**
 * Functions that transform records, as a process reaches them: outside the machine, over a network.
 * What they do with a record is decided by its text, by the function's version and by the run, and their
 * answers say which call they are of, so that records of two calls can be told apart:
 *
 * - Most records come back as `<text>~<run>.<call>`, with a partition key that differs from run to run;
 *   some without a key, some with a hostile one. Some are dropped and some are failed, always the same
 *   ones; some versions fail nearly all, or drop them.
 *
 * What goes wrong, and why the engine is expected to survive it:
 *
 * - A call fails, hangs until its time is over, or is slow: it is repeated, and what is failed in the
 *   end is in the error output. While it lasts, other streams go on.
 * - A record is missing from the answer, or the answer is malformed: those records are failed.
 */
import { InvocationError } from '../../src/functions.ts'
import type {
  FunctionAnswer,
  Functions,
  TransformationEvent,
  TransformationRecord,
} from '../../src/functions.ts'
import { BATCH_ID_LENGTH } from '../../src/batch.ts'
import type { BatchId } from '../../src/batch.ts'
import type { Chance } from './chance.ts'
import { hash32 } from './chance.ts'
import type { Owner, Scheduler } from './scheduler.ts'

/** Probabilities, for each call. */
export interface FunctionFaults {
  readonly fails: number
  readonly hangs: number
  readonly slow: number
  readonly missing: number
  readonly malformed: number
}

export const NO_FUNCTION_FAULTS: FunctionFaults = {
  fails: 0,
  hangs: 0,
  slow: 0,
  missing: 0,
  malformed: 0,
}

/** What a function said of a record. */
export type Fate =
  | { readonly kind: 'ok'; readonly text: string; readonly partitionKey: string | undefined }
  | { readonly kind: 'dropped' }
  | { readonly kind: 'failed'; readonly errorCode: string }

/** What a version of a function does with most records. */
type Mood = 'changes' | 'fails' | 'drops'

/** In sixteenths of the records. */
const FAILED_SHARES: Readonly<Record<Mood, number>> = { changes: 1, fails: 15, drops: 0 }
const DROPPED_SHARES: Readonly<Record<Mood, number>> = { changes: 1, fails: 0, drops: 16 }

/** All calls for one batch by one process, one after the other or side by side. */
export interface Run {
  readonly number: number
  readonly owner: Owner
  readonly batchId: BatchId
  /** Of the stream. */
  readonly versionId: number
  readonly mood: Mood
  /** By the text of the record that was sent; of calls that were repeated, the last one's. */
  readonly fates: Map<string, Fate>
}

/** Of two versions in so many; the others change most records. */
const MOODS: readonly Mood[] = ['fails', 'drops']
const MOOD_COUNT = 8
const CALL_MS_MAX = 30_000
const PARTITION_KEY_COUNT = 40
const FAILURES = ['Lambda.FunctionError', 'Lambda.InvokeLimitExceeded', 'Lambda.FunctionTimedOut']

/** The ARN of what transforms the records of a version of any stream. */
export function functionArn(versionId: number): string {
  return `arn:aws:lambda:us-east-1:000000000000:function:version-${versionId}`
}

export interface RunWatcher {
  /** The first call of the run begins. */
  begun(run: Run): void
  /** A call has ended after so much time. */
  called(run: Run, durationMs: number): void
}

export class SimulatedFunctions {
  faults = NO_FUNCTION_FAULTS
  readonly #scheduler: Scheduler
  readonly #chance: Chance
  readonly #watcher: RunWatcher
  /** Other versions are strict in each simulation. */
  readonly #moodOffset: number
  #runCount = 0
  #callCount = 0

  constructor(scheduler: Scheduler, chance: Chance, watcher: RunWatcher) {
    this.#scheduler = scheduler
    this.#chance = chance
    this.#watcher = watcher
    this.#moodOffset = chance.integer(0, MOOD_COUNT - 1)
  }

  connect(owner: Owner): Functions {
    return {
      find: (arn) => Promise.resolve(arn),
      lease: (arn) => {
        let run: Run | undefined
        return Promise.resolve({
          invoke: (event, signal) => {
            run ??= this.#begin(owner, arn, event)
            return this.#call(run, event, signal)
          },
          release: () => {},
        })
      },
      close: () => Promise.resolve(),
    }
  }

  #begin(owner: Owner, arn: string, { deliveryStreamArn, records }: TransformationEvent): Run {
    this.#runCount += 1
    const run: Run = {
      number: this.#runCount,
      owner,
      batchId: records[0]?.recordId.slice(0, BATCH_ID_LENGTH) ?? '',
      versionId: Number(arn.slice(arn.lastIndexOf('-') + 1)),
      mood: MOODS[(hash32(deliveryStreamArn + arn) + this.#moodOffset) % MOOD_COUNT] ?? 'changes',
      fates: new Map(),
    }
    this.#watcher.begun(run)
    return run
  }

  async #call(run: Run, event: TransformationEvent, signal: AbortSignal): Promise<FunctionAnswer> {
    const chance = this.#chance
    const { fails, hangs, slow, missing, malformed } = this.faults
    this.#callCount += 1
    const call = this.#callCount
    const name = `function call ${call} of run ${run.number}`
    const fail = (errorCode: string): InvocationError => {
      for (const record of event.records)
        run.fates.set(textOf(record), { kind: 'failed', errorCode })
      return new InvocationError(errorCode, `Cannot invoke: ${name}`)
    }
    if (chance.happens(hangs)) {
      await this.#wait(run.owner, `${name} timed out`, CALL_MS_MAX, signal)
      this.#watcher.called(run, CALL_MS_MAX)
      throw fail('Lambda.FunctionTimedOut')
    }
    const durationMs = chance.happens(slow) ? chance.between(4_000, 15_000) : chance.between(1, 60)
    await this.#wait(run.owner, `${name} answers`, durationMs, signal)
    this.#watcher.called(run, durationMs)
    if (chance.happens(fails)) throw fail(FAILURES[chance.integer(0, FAILURES.length - 1)] ?? '')
    const answers = event.records.map((record) => answerTo(record, run, call))
    if (chance.happens(malformed)) return this.#malformed(answers, fail)
    if (chance.happens(missing)) {
      const fate = { kind: 'failed', errorCode: 'Lambda.MissingRecordId' } as const
      answers[chance.integer(0, answers.length - 1)] = { fate }
    }
    for (const [place, record] of event.records.entries()) {
      const fate = answers[place]?.fate
      if (fate !== undefined) run.fates.set(textOf(record), fate)
    }
    return answerOf({ records: answers.flatMap(({ record }) => record ?? []) })
  }

  #malformed(answers: readonly Answer[], fail: (errorCode: string) => unknown): FunctionAnswer {
    const records = answers.map(({ record }) => record)
    const [errorCode, value] = this.#chance.pick<readonly [string, object]>([
      ['Lambda.FunctionError', { junk: records }],
      ['Lambda.FunctionError', { records: records.map((record) => ({ ...record, result: '?' })) }],
      ['Lambda.DuplicatedRecordId', { records: [...records, records[0]] }],
      ['Lambda.JsonProcessingException', { records: [...records, 'junk'] }],
    ])
    fail(errorCode)
    return answerOf(value)
  }

  #wait(owner: Owner, name: string, durationMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#scheduler.after(durationMs, owner, name, resolve)
      signal.addEventListener('abort', () => reject(new Error('aborted')))
    })
  }
}

function answerOf(value: object): FunctionAnswer {
  const json = JSON.stringify(value)
  return { value: JSON.parse(json) as unknown, sizeBytes: json.length }
}

interface Answer {
  readonly fate: Fate
  readonly record?: object
}

function answerTo(record: TransformationRecord, run: Run, call: number): Answer {
  const { recordId } = record
  const before = textOf(record)
  const share = hash32(before) % 16
  if (share < FAILED_SHARES[run.mood]) {
    const fate = { kind: 'failed', errorCode: 'Lambda.ProcessingFailedStatus' } as const
    return { fate, record: { recordId, result: 'ProcessingFailed' } }
  }
  if (share >= 16 - DROPPED_SHARES[run.mood])
    return { fate: { kind: 'dropped' }, record: { recordId, result: 'Dropped' } }
  const text = `${before}~${run.number}.${call}`
  const partitionKey = partitionKeyOf(before, run)
  const metadata = { partitionKeys: { k: partitionKey } }
  return {
    fate: { kind: 'ok', text, partitionKey },
    record: {
      recordId,
      result: 'Ok',
      data: Buffer.from(text, 'latin1').toString('base64'),
      ...(partitionKey !== undefined && { metadata }),
    },
  }
}

function partitionKeyOf(text: string, { number }: Run): string | undefined {
  const hash = hash32(text, number)
  if (hash % 64 === 0) return undefined
  const place = (hash >>> 6) % PARTITION_KEY_COUNT
  return hash % 64 === 1 ? `../${place}` : `key ${place}`
}

function textOf({ data }: TransformationRecord): string {
  return Buffer.from(data, 'base64').toString('latin1')
}

/** The text that a record was sent to a function with. */
export function withoutCall(text: string): string {
  return text.replace(/~\d+\.\d+$/, '')
}
