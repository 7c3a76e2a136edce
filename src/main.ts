/** Process entry: finds the command, reads its flags, and turns every outcome into an exit code. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { CommandError, print, usageError } from './cli/command.ts'
import type { Command } from './cli/command.ts'
import { EXIT } from './cli/exit-code.ts'
import { didYouMean } from './settings/near-match.ts'
import { SettingsError } from './settings.ts'

/** Each is loaded when it is called for, so that `put` does not wait for the service's modules. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./cli/serve.ts')).serve,
  api: async () => (await import('./cli/serve.ts')).api,
  worker: async () => (await import('./cli/serve.ts')).worker,
  streams: async () => (await import('./cli/streams.ts')).streams,
  put: async () => (await import('./cli/put.ts')).put,
  generate: async () => (await import('./cli/generate.ts')).generate,
  tail: async () => (await import('./cli/tail.ts')).tail,
  receipt: async () => (await import('./cli/receipt.ts')).receipt,
  explain: async () => (await import('./cli/explain.ts')).explain,
  functions: async () => (await import('./cli/functions.ts')).functions,
  replay: async () => (await import('./cli/replay.ts')).replay,
  data: async () => (await import('./cli/data.ts')).data,
  settings: async () => (await import('./cli/settings.ts')).settings,
  demo: async () => (await import('./cli/demo.ts')).demo,
}

/** Runs one command and leaves its exit code in the process. */
export async function main(words: readonly string[]): Promise<void> {
  endQuietlyWithoutReader()
  try {
    process.exitCode = await dispatch(words)
  } catch (error) {
    process.exitCode = report(error)
  }
}

async function dispatch([name, ...rest]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    print(await overview())
    return name === undefined ? EXIT.usage : EXIT.ok
  }
  if (name === '--version') {
    print(version())
    return EXIT.ok
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (load === undefined) {
    const hint = didYouMean(name, Object.keys(COMMANDS))
    throw usageError(`Cannot run ${name}: no such command${hint}; see standpipe --help`)
  }
  const command = await load()
  const { values, positionals } = parse(command, rest)
  if (values['help'] === true) {
    print(`usage: standpipe ${command.usage}\n\n${command.help}`)
    return EXIT.ok
  }
  return command.run({ flags: values, positionals, environment: process.env })
}

function parse(
  { options }: Command,
  words: readonly string[],
): { values: Record<string, unknown>; positionals: string[] } {
  const known = { ...options, help: { type: 'boolean', short: 'h' } } as const
  try {
    return parseArgs({
      args: [...words],
      options: known,
      allowPositionals: true,
      allowNegative: true,
    })
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    const unknown = /Unknown option '(--?[^']+)'/.exec(error.message)?.[1]
    if (unknown === undefined) throw usageError(`Cannot read the command line: ${error.message}`)
    const flags = Object.keys(known).map((flag) => `--${flag}`)
    throw usageError(`Cannot use ${unknown}: no such flag${didYouMean(unknown, flags)}`)
  }
}

async function overview(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map((load) => load()))
  const width = Math.max(...commands.map(({ usage }) => usage.length))
  return [
    'Standpipe: Amazon Data Firehose on your own floor.',
    '',
    ...commands.map(({ usage, summary }) => `  standpipe ${usage.padEnd(width)}  ${summary}`),
    '',
    'standpipe <command> --help tells more; docs/operations.md tells all.',
  ].join('\n')
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** One line for what the user can mend; a stack only for a fault of ours. */
function report(error: unknown): number {
  const known = error instanceof CommandError || error instanceof SettingsError
  const stack = error instanceof Error ? error.stack : undefined
  process.stderr.write(`${known ? error.message : (stack ?? String(error))}\n`)
  if (error instanceof CommandError) return error.exitCode
  return known ? EXIT.usage : EXIT.fault
}

/** `standpipe streams list | head` is no fault of anybody. */
function endQuietlyWithoutReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(EXIT.ok)
  })
}
