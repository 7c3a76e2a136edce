/**
 * Runs simulations from the command line:
 *
 *   node test/simulation/run.ts --seeds 100000 --from 1 [--rot] [--bug 'names not frozen']
 *   node test/simulation/run.ts --seeds 1 --from 4711 --echo      replays one and prints every event
 *
 * Ends with exit code 1 at the first seed that breaks a law.
 */
import { parseArgs } from 'node:util'
import { PLANTED_BUGS } from './planted-bugs.ts'
import { report } from './report.ts'
import { simulate } from './world.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    rot: { type: 'boolean', default: false },
    bug: { type: 'string' },
    echo: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
  },
})

const from = Number(values.from)
const end = from + Number(values.seeds)
const bug = values.bug === undefined ? {} : PLANTED_BUGS[values.bug]?.bug
if (bug === undefined) throw new Error(`No such bug: ${Object.keys(PLANTED_BUGS).join(', ')}`)

const startedAtMs = performance.now()
let steps = 0
let acknowledged = 0
for (let seed = from; seed < end; seed += 1) {
  const outcome = await simulate({ seed, bug, rot: values.rot, echo: values.echo })
  steps += outcome.stepCount
  acknowledged += outcome.acknowledgedCount
  if (outcome.violations.length > 0) {
    process.exitCode = 1
    console.log(values['keep-going'] ? `${seed}: ${outcome.violations[0]}` : report(outcome))
    if (!values['keep-going']) break
  }
}
const seconds = (performance.now() - startedAtMs) / 1000
console.log(
  `${end - from} seeds from ${from}: ${steps} steps, ${acknowledged} puts acknowledged, ${seconds.toFixed(1)} s`,
)
