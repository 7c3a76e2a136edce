import { readFileSync } from 'node:fs'
import { systemClock } from '../base/clock.ts'
import { GeneratorRun } from '../generator/generator-run.ts'
import { RecordMaker, RecordTooLarge } from '../generator/record-maker.ts'
import type { RecordForm } from '../generator/record-maker.ts'
import { Tally } from '../generator/tally.ts'
import { SHIPPED_TEMPLATES } from '../generator/templates/shipped-templates.ts'
import type { TemplateFunctions } from '../generator/templates/template-functions.ts'
import { compileTemplate, TemplateError, UnknownFunction } from '../generator/templates/template.ts'
import type { Template } from '../generator/templates/template.ts'
import { templateTime } from '../generator/templates/time-functions.ts'
import { didYouMean } from '../settings/near-match.ts'
import { explainedFailure } from './client.ts'
import {
  CommandError,
  integerFlag,
  print,
  printJson,
  takePositionals,
  textFlag,
  usageError,
} from './command.ts'
import type { Command, Invocation } from './command.ts'
import { EXIT } from './exit-code.ts'
import { PLAN_HELP, PLAN_OPTIONS, readPlan } from './generate-plan.ts'
import type { GeneratePlan } from './generate-plan.ts'
import { GenerateReport } from './generate-report.ts'
import { openSink, SINK_HELP, SINK_OPTIONS } from './generate-sink.ts'
import type { OpenedSink } from './generate-sink.ts'
import { Progress } from './progress.ts'

const LANES = 8
const DELIMITERS: Readonly<Record<string, string>> = { newline: '\n', none: '' }
const SEED_MAX = 2 ** 32 - 1

export const generate: Command = {
  usage: 'generate --stream <stream> --template <template> --rate <n>',
  summary: 'make test records from a template and put them into a stream',
  help: `Makes records at a rate, and puts them into a stream until each is acknowledged: what the service
refuses is sent again, with back-off. Ends with 0 when every record was acknowledged. While the
service is slower than the rate, what is due waits, and is made up for as soon as it takes more; what
is still due a second after the duration is not made. ^C ends it with the sums.

  --stream NAME    where the records go
  --template T     a text with placeholders, as the Kinesis Data Generator has them:
                   '{"ip":"{{internet.ip}}","age":{{random.number(99)}}}'; or @file; or the name of one
                   of these: ${Object.keys(SHIPPED_TEMPLATES).join(', ')}
${PLAN_HELP}

  --delimiter D    what ends a record: newline (the default) or none
  --partition-key T  template of the partition key; by default it is random. With --kinesis only
  --seed N         makes the same records again, but for those that depend on time; by default random
  --concurrency N  requests at the same time; ${LANES} by default
  --dry-run N      print N records, and put nothing
  --quiet          tell nothing while it runs, nor at its end
  --json           the sums as JSON
${SINK_HELP}`,
  options: {
    ...PLAN_OPTIONS,
    ...SINK_OPTIONS,
    stream: { type: 'string' },
    template: { type: 'string' },
    delimiter: { type: 'string' },
    'partition-key': { type: 'string' },
    seed: { type: 'string' },
    concurrency: { type: 'string' },
    'dry-run': { type: 'string' },
    quiet: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  async run(invocation) {
    takePositionals(invocation, [])
    const dryRun = integerFlag(invocation, 'dry-run')
    if (dryRun !== undefined) {
      const { template } = await readForm(invocation, readSeed(invocation))
      for (let index = 0; index < dryRun; index += 1) print(template())
      return EXIT.ok
    }
    const streamName = textFlag(invocation, 'stream')
    if (streamName === undefined) throw usageError('Cannot run: --stream is missing')
    const plan = readPlan(invocation)
    const seed = readSeed(invocation)
    const form = await readForm(invocation, seed, plan.dayMs)
    using opened = await openSink(invocation, streamName)
    return runAndTell(invocation, opened, plan, form, { stream: streamName, seed })
  },
}

async function runAndTell(
  invocation: Invocation,
  { sink, service, endpoint }: OpenedSink,
  { plan, durationMs, count }: GeneratePlan,
  form: RecordForm,
  facts: { readonly stream: string; readonly seed: number },
): Promise<number> {
  const isQuiet = invocation.flags['quiet'] === true
  const lanes = integerFlag(invocation, 'concurrency') ?? LANES
  if (lanes === 0) throw usageError('Cannot use --concurrency: must be 1 or more')
  const tally = new Tally()
  const records = new RecordMaker(form, sink.limits)
  const run = new GeneratorRun(
    { plan, durationMs, count, records, sink, lanes, clock: systemClock },
    tally,
  )
  const report = new GenerateReport(run, tally, systemClock)
  try {
    await runUntilInterrupted(run, report, new Progress(!isQuiet, systemClock))
  } catch (error) {
    if (error instanceof RecordTooLarge) throw new CommandError(error.message)
    throw explainedFailure(error, endpoint, service)
  } finally {
    if (invocation.flags['json'] === true) printJson({ ...facts, ...report.summary() })
    else if (!isQuiet) print(report.words())
  }
  return tally.failed === 0 ? EXIT.ok : EXIT.failed
}

/** The first signal stops it gently; a second one finds no handler any more, and ends the process. */
async function runUntilInterrupted(
  run: GeneratorRun,
  report: GenerateReport,
  progress: Progress,
): Promise<void> {
  const stop = new AbortController()
  const done = new AbortController()
  const interrupt = (): void => stop.abort()
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  const told = report.follow(progress, done.signal)
  try {
    await run.run(stop.signal)
  } finally {
    process.removeListener('SIGINT', interrupt).removeListener('SIGTERM', interrupt)
    done.abort()
    await told
  }
}

async function readForm(invocation: Invocation, seed: number, dayMs?: number): Promise<RecordForm> {
  const delimiterName = textFlag(invocation, 'delimiter') ?? 'newline'
  const delimiter = DELIMITERS[delimiterName]
  if (delimiter === undefined) throw usageError('Cannot use --delimiter: must be newline or none')
  const isKinesis = invocation.flags['kinesis'] === true
  const keyText = textFlag(invocation, 'partition-key')
  if (keyText !== undefined && !isKinesis) {
    throw usageError('Cannot use --partition-key: only --kinesis has them')
  }
  const templateText = textFlag(invocation, 'template')
  if (templateText === undefined) throw usageError('Cannot run: --template is missing')
  // Here and not above, because faker takes a while to load.
  const { TemplateFunctions } = await import('../generator/templates/template-functions.ts')
  const functions = new TemplateFunctions(seed, templateTime(systemClock, dayMs))
  const template = compile(readTemplate(templateText), functions)
  if (!isKinesis) return { template, delimiter }
  return { template, delimiter, partitionKey: compile(keyText ?? RANDOM_KEY, functions) }
}

/** What the Kinesis Data Generator takes. */
const RANDOM_KEY = '{{random.number(9999999999)}}'

function compile(text: string, functions: TemplateFunctions): Template {
  try {
    return compileTemplate(text, functions)
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    const isUnknown = error instanceof UnknownFunction
    const hint = isUnknown ? didYouMean(error.functionName, functions.names()) : ''
    throw usageError(`${error.message}${hint}`)
  }
}

function readTemplate(text: string): string {
  if (text.startsWith('@')) return readTemplateFile(text.slice(1))
  if (text.includes('{{')) return text
  const shipped = Object.hasOwn(SHIPPED_TEMPLATES, text) ? SHIPPED_TEMPLATES[text] : undefined
  if (shipped !== undefined) return shipped
  const hint = didYouMean(text, Object.keys(SHIPPED_TEMPLATES))
  throw usageError(
    `Cannot use --template ${text}: no template has this name, and it has no {{placeholder}}${hint}`,
  )
}

function readTemplateFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (!(error instanceof Error)) throw error
    throw usageError(`Cannot read the template: ${error.message}`)
  }
}

function readSeed(invocation: Invocation): number {
  const seed = integerFlag(invocation, 'seed')
  if (seed === undefined) return Math.floor(systemClock.random() * (SEED_MAX + 1))
  if (seed > SEED_MAX) throw usageError(`Cannot use --seed: must be at most ${SEED_MAX}`)
  return seed
}
