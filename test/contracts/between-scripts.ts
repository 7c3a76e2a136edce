/** Faults between a process and Redis. */
import type { ScriptRunner } from '../../src/redis/scripts.ts'

/** Of one script the answers are lost from one call to another. */
export function losingAnswers(lossy: string, first: number, count = 1) {
  let calls = 0
  return between(async (name, run) => {
    const answer = await run()
    if (name !== lossy) return answer
    calls += 1
    if (calls >= first && calls < first + count) throw new Error('Connection is closed.')
    return answer
  })
}

/** The first calls of one script fail for good. */
export function failing(script: string, count: number) {
  let calls = 0
  return between((name, run) => {
    if (name !== script) return run()
    calls += 1
    return calls <= count ? Promise.reject(new Error('Out of order')) : run()
  })
}

/** Each script is run twice, as when an answer is lost; the second answer counts. */
export function runningTwice() {
  return between(async (_name, run) => {
    await run()
    return run()
  })
}

/** Puts itself between a store and its scripts. */
export function between(answer: (name: string, run: () => Promise<unknown>) => Promise<unknown>) {
  return (scripts: ScriptRunner): ScriptRunner => ({
    run: (name, keys, args) => answer(name, () => scripts.run(name, keys, args)),
    runBinary: (name, keys, args) => answer(name, () => scripts.runBinary(name, keys, args)),
  })
}
