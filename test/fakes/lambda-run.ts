/** Runs the Lambda processor over records, with a function that does as a script says. */
import type { Clock } from '../../src/base/clock.ts'
import type { ProcessingRecord } from '../../src/processor.ts'
import { lambda } from '../../src/processors/lambda/lambda.ts'
import type { LambdaOptions } from '../../src/processors/lambda/lambda.ts'
import { runProcessor } from './processing.ts'
import type { ProcessorRun, RunOptions } from './processing.ts'
import { ScriptedFunctions } from './scripted-functions.ts'
import type { Script } from './scripted-functions.ts'

export const FUNCTION_ARN = 'arn:aws:lambda:us-east-1:000000000000:function:enrich'
/** When all attempts end. */
export const ENDED_MS = 1_700_000_100_000

/** Sleeps for no time and remembers for how long; its bytes are 0x01…, then 0x02… and so on. */
export function quickClock(sleptMs: number[] = []): Clock {
  let drawnCount = 0
  return {
    nowMs: () => ENDED_MS,
    monotonicMs: () => 0,
    random: () => 0.5,
    randomBytes: (count) => Buffer.alloc(count, (drawnCount += 1)),
    sleep: async (durationMs) => void sleptMs.push(durationMs),
  }
}

export interface LambdaRun extends ProcessorRun {
  readonly functions: ScriptedFunctions
}

export async function runLambda(
  script: Script,
  records: Parameters<typeof runProcessor>[1],
  {
    groupSize = 2,
    stream = {},
    ...options
  }: Partial<LambdaOptions> & Pick<RunOptions, 'groupSize' | 'stream'> = {},
): Promise<LambdaRun> {
  const functions = new ScriptedFunctions(script)
  const processor = lambda({
    arn: FUNCTION_ARN,
    retries: 3,
    bufferBytes: 1_000_000,
    functions,
    clock: quickClock(),
    ...options,
  })
  return { functions, ...(await runProcessor(processor, records, { groupSize, stream })) }
}

export function texts(records: readonly ProcessingRecord[]): readonly string[] {
  return records.map(({ data }) => String(data))
}

/** `ordinal errorCode errorMessage (attemptsMade)` of each record that failed. */
export function failures({ failed }: ProcessorRun): readonly string[] {
  return failed.map(
    ({ record: { ordinal }, failure: { errorCode, errorMessage, attemptsMade } }) =>
      `${ordinal} ${errorCode} ${errorMessage} (${attemptsMade})`,
  )
}
