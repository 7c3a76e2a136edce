/**
 * The process that DuckDB runs in, apart from the service: native code that hangs, crashes or eats
 * memory can be killed here and nowhere else (a thread that is ended while DuckDB computes takes its
 * process along). It ends when its parent does.
 */
import { strict as assert } from 'node:assert'
import { inRuns, pack, unpack } from './sql-messages.ts'
import type { SqlFailure, SqlReply, SqlRequest } from './sql-messages.ts'
import { SqlSession } from './sql-session.ts'
import type { DuckDB } from './sql-session.ts'

const MESSAGE_BYTES = 1024 * 1024

process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

const [, , memoryLimit = ''] = process.argv
const duckdb = await loadDuckDB()
let session: SqlSession | undefined
/** Of the conversation under way, which ends with its `end`. */
let failure: SqlFailure | undefined
let turn = Promise.resolve()
process.on('message', (request: SqlRequest) => {
  turn = turn.then(() => answer(request))
})

async function loadDuckDB(): Promise<DuckDB | Error> {
  try {
    return await import('@duckdb/node-api')
  } catch (error) {
    return error as Error
  }
}

async function answer(request: SqlRequest): Promise<void> {
  try {
    await act(request)
  } catch (error) {
    failure ??= { kind: 'failed', reason: 'query', message: messageOf(error as Error) }
  }
  if (request.kind !== 'check' && request.kind !== 'end') return
  session?.close()
  session = undefined
  if (failure !== undefined) await reply(failure)
  failure = undefined
}

async function act(request: SqlRequest): Promise<void> {
  if (failure !== undefined) return
  if (duckdb instanceof Error) {
    const message = `the package @duckdb/node-api can't be loaded (${messageOf(duckdb)})`
    failure = { kind: 'failed', reason: 'unavailable', message }
    return
  }
  if (request.kind === 'check' || request.kind === 'begin') {
    session = await SqlSession.open(duckdb, memoryLimit, request.query)
    if (request.kind === 'begin') return
    await session.bind()
    await reply({ kind: 'done', rejected: [] })
    return
  }
  assert(session !== undefined)
  if (request.kind === 'records') {
    await session.add(unpack(request.records))
    return
  }
  const rejected = await session.rejected()
  await session.bind()
  for await (const rows of session.rows()) {
    for (const run of inRuns(rows, MESSAGE_BYTES)) await reply({ kind: 'rows', rows: pack(run) })
  }
  await reply({ kind: 'done', rejected })
}

/** Resolves when there is room for more. */
async function reply(message: SqlReply): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    assert(process.send !== undefined, 'sql-process.ts is the module of a child process')
    process.send(message, (error: Error | null) => (error ? reject(error) : resolve()))
  })
}

/** DuckDB's first line; what follows is advice, some of it about settings that are locked. */
function messageOf({ message }: Error): string {
  return message.split('\n', 1)[0] ?? message
}
