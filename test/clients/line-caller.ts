import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { Connection, FirehoseCaller, Input, Outcome } from './firehose-caller.ts'
import { awsEnvironment } from './install.ts'

/** A client program that reads one JSON request a line and writes one JSON outcome a line. */
export class LineCaller implements FirehoseCaller {
  readonly #program: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>
  readonly #encode: (input: Input) => unknown

  /** @param encode brings record data into the program's form */
  constructor(
    command: readonly [string, ...string[]],
    connection: Connection,
    encode: (input: Input) => unknown = (input) => input,
  ) {
    const [program, ...parameters] = command
    const env = awsEnvironment(connection)
    this.#program = spawn(program, parameters, { env, stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface(this.#program.stdout)[Symbol.asyncIterator]()
    this.#encode = encode
  }

  async call(operation: string, input: Input): Promise<Outcome> {
    const request = JSON.stringify({ operation, input: this.#encode(input) })
    this.#program.stdin.write(`${request}\n`)
    const { value, done } = await this.#lines.next()
    if (done === true) throw new Error(`Cannot ${operation}: the client program has ended`)
    return JSON.parse(value, withoutNull) as Outcome
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#program.exitCode !== null) return
    const ended = once(this.#program, 'close')
    this.#program.stdin.end()
    await ended
  }
}

/** What a typed client has no value for, the service did not send. */
function withoutNull(name: string, value: unknown): unknown {
  return value === null || name === 'ResultMetadata' ? undefined : value
}
