/** What the commands of the shell have in common. */
import type { ParseArgsConfig } from 'node:util'
import { EXIT } from './exit-code.ts'

export type Options = NonNullable<ParseArgsConfig['options']>

export interface Command {
  /** What follows `standpipe`, e.g. `receipt <RecordId>`. */
  readonly usage: string
  /** One line for the list of commands. */
  readonly summary: string
  /** The rest of `--help`: what it does, its options, examples. */
  readonly help: string
  readonly options: Options
  /** Resolves with the exit code. Throws CommandError for what the user can mend. */
  run(invocation: Invocation): Promise<number>
}

export interface Invocation {
  readonly flags: Readonly<Record<string, unknown>>
  readonly positionals: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Ends a command with one line on stderr and an exit code; never with a stack trace. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: number

  constructor(message: string, exitCode: number = EXIT.failed, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

export function usageError(message: string): CommandError {
  return new CommandError(message, EXIT.usage)
}

/** These positionals and up to `optionalCount` more, or a usage error that names the trouble. */
export function takePositionals<const Names extends readonly string[]>(
  { positionals }: Pick<Invocation, 'positionals'>,
  names: Names,
  optionalCount = 0,
): [...{ -readonly [Index in keyof Names]: string }, ...string[]] {
  const missing = names[positionals.length]
  if (missing !== undefined) throw usageError(`Cannot run: ${missing} is missing`)
  const excess = positionals[names.length + optionalCount]
  if (excess !== undefined) throw usageError(`Cannot run: ${JSON.stringify(excess)} is too much`)
  return [...positionals] as [...{ -readonly [Index in keyof Names]: string }, ...string[]]
}

export function textFlag({ flags }: Invocation, name: string): string | undefined {
  const value = flags[name]
  return typeof value === 'string' ? value : undefined
}

export function integerFlag(invocation: Invocation, name: string): number | undefined {
  const text = textFlag(invocation, name)
  if (text === undefined) return undefined
  if (!/^\d+$/.test(text)) throw usageError(`Cannot use --${name}: must be a whole number`)
  return Number(text)
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, undefined, 2))
}
