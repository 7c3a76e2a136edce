import type { Outcome } from './world.ts'

/** What a human needs to see of a simulation that failed. */
export function report({ seed, violations, trace, traceHash }: Outcome): string {
  return [
    `Seed ${seed} breaks a law (trace ${traceHash}):`,
    ...violations.map((violation) => `  - ${violation}`),
    'The last events:',
    trace,
    `Replay: node test/simulation/run.ts --seeds 1 --from ${seed} --echo`,
  ].join('\n')
}
