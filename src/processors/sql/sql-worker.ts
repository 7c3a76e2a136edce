import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { inRuns, pack } from './sql-messages.ts'
import type { RecordPack, Rejected, SqlFailure, SqlReply, SqlRequest } from './sql-messages.ts'

const MODULE = new URL('sql-process.ts', import.meta.url)
const MESSAGE_BYTES = 1024 * 1024
/** The memory of a process grows by a megabyte or two with each batch of 20 MB; so it is not kept for ever. */
const CONVERSATIONS_MAX = 20

export interface SqlDone {
  readonly kind: 'done'
  readonly rows: readonly RecordPack[]
  /** In ascending order. */
  readonly rejected: readonly Rejected[]
}

/** The engine's side of one process that runs SQL. It has one conversation at a time. */
export class SqlWorker {
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  #conversations = 0
  #rows: RecordPack[] = []
  #settle: ((outcome: SqlDone | SqlFailure) => void) | undefined
  #end: SqlFailure | undefined

  constructor(memoryLimit: string) {
    this.#child = fork(MODULE, [memoryLimit], {
      // What a query computes with is its records: nothing of the service's environment.
      env: { TZ: 'UTC' },
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#onEnd('ended', `The process ended (${signal ?? `exit code ${code}`})`)
        resolve()
      })
      this.#child.on('error', ({ message }) => {
        // Others don't end a process; one that could not be started has no exit.
        if (this.#child.pid !== undefined) return
        this.#onEnd('unavailable', `a process for SQL can't be started (${message})`)
        resolve()
      })
    })
    this.#child.on('message', (reply: SqlReply) => this.#onReply(reply))
  }

  /** Whether it may have one more conversation. */
  get isFit(): boolean {
    return this.#end === undefined && this.#conversations < CONVERSATIONS_MAX
  }

  async check(query: string): Promise<SqlDone | SqlFailure> {
    return await this.#converse(() => this.#send({ kind: 'check', query }))
  }

  async run(query: string, records: readonly Buffer[]): Promise<SqlDone | SqlFailure> {
    return await this.#converse(async () => {
      await this.#send({ kind: 'begin', query })
      for (const run of inRuns(records, MESSAGE_BYTES)) {
        if (this.#end !== undefined) return
        await this.#send({ kind: 'records', records: pack(run) })
      }
      await this.#send({ kind: 'end' })
    })
  }

  /** Ends the process at once, whatever it does; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  async #converse(send: () => Promise<void>): Promise<SqlDone | SqlFailure> {
    this.#conversations += 1
    if (this.#end !== undefined) return this.#end
    const settled = new Promise<SqlDone | SqlFailure>((resolve) => {
      this.#settle = resolve
    })
    await send()
    return await settled
  }

  /** Resolves when there is room for more. That the process is gone is its end's to say. */
  async #send(request: SqlRequest): Promise<void> {
    if (!this.#child.connected) return
    await new Promise<void>((resolve) => {
      this.#child.send(request, () => resolve())
    })
  }

  #onReply(reply: SqlReply): void {
    if (reply.kind === 'rows') {
      this.#rows.push(reply.rows)
      return
    }
    const rows = this.#rows
    this.#rows = []
    this.#settle?.(reply.kind === 'done' ? { ...reply, rows } : reply)
    this.#settle = undefined
  }

  #onEnd(reason: SqlFailure['reason'], message: string): void {
    this.#end ??= { kind: 'failed', reason, message }
    this.#onReply(this.#end)
  }
}
