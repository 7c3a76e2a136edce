/**
 * Lua scripts: each is a file in scripts/ whose head says what KEYS and ARGV are and what it answers.
 * A line `-- @include name` stands for scripts/shared/name.lua.
 *
 * - A script names all keys that it touches in KEYS: only then can a cluster that moves a slot tell
 *   beforehand that it must be asked again, and nothing is done half.
 * - It reads no clock: time comes in ARGV, so that tests have it in hand.
 */
import { readdirSync, readFileSync } from 'node:fs'
import type { Cluster, Redis } from 'ioredis'

export type RedisClient = Redis | Cluster
export type ScriptArgument = string | number | Buffer

const FOLDER = new URL('scripts/', import.meta.url)
const INCLUDE = /^-- @include ([\w-]+)$/gm

/** Source by name, includes resolved. */
const sources = new Map(
  readdirSync(FOLDER)
    .filter((file) => file.endsWith('.lua'))
    .map((file) => [file.slice(0, -'.lua'.length), sourceOf(file)] as const),
)

function sourceOf(file: string): string {
  const text = readFileSync(new URL(file, FOLDER), 'utf8')
  return text.replaceAll(INCLUDE, (_line, name: string) =>
    readFileSync(new URL(`shared/${name}.lua`, FOLDER), 'utf8'),
  )
}

/** A script's text, includes resolved. */
export function scriptSource(name: string): string {
  const source = sources.get(name)
  if (source === undefined) throw new Error(`Cannot run ${name}: no such script`)
  return source
}

/** Runs scripts; see DurableScripts for what waits until their effect is durable. */
export interface ScriptRunner {
  /** Strings in the answer are text. */
  run(name: string, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown>
  /** Strings in the answer are buffers. */
  runBinary(
    name: string,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<unknown>
}

/** Scripts over one client. Redis keeps them by their hash; whichever it has forgotten is sent again. */
export class Scripts implements ScriptRunner {
  readonly #client: RedisClient

  constructor(client: RedisClient) {
    this.#client = client
    for (const [name, lua] of sources) client.defineCommand(commandOf(name), { lua })
  }

  run(name: string, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown> {
    return this.#call(commandOf(name), keys, args)
  }

  runBinary(
    name: string,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<unknown> {
    return this.#call(`${commandOf(name)}Buffer`, keys, args)
  }

  #call(
    command: string,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<unknown> {
    const commands = this.#client as unknown as Record<
      string,
      (...args: ScriptArgument[]) => Promise<unknown>
    >
    const run = commands[command]
    if (run === undefined) throw new Error(`Cannot run ${command}: no such script`)
    return run.call(this.#client, keys.length, ...keys, ...args)
  }
}

/** Not to be taken for a command of Redis's own. */
function commandOf(name: string): string {
  return `standpipe_${name.replaceAll('-', '_')}`
}
