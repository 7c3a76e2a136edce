/**
 * The load generator, in a process of its own: sends prepared PutRecordBatch bodies over a number of
 * keep-alive connections, each sending its next as soon as its last was answered (a closed loop).
 * Reads a LoadPlan from its parent, answers with a LoadResult.
 */
import { fork } from 'node:child_process'
import { Agent, request } from 'node:http'
import type { OutgoingHttpHeaders } from 'node:http'
import { logRecords, putBodies, RECORDS_PER_REQUEST } from './workload.ts'
import { putHeaders } from './signing.ts'

export interface LoadPlan {
  readonly port: number
  readonly streamNames: readonly string[]
  readonly recordCount: number
  readonly connectionCount: number
  /** `id:secret`; absent: unsigned. */
  readonly accessKey?: string
}

export interface LoadResult {
  readonly acceptedCount: number
  readonly seconds: number
  readonly latenciesMs: readonly number[]
}

/** Distinct requests; more are made by sending these again. */
const BODY_COUNT_MAX = 100

/** Runs a plan in a fresh process. */
export function runLoad(plan: LoadPlan): Promise<LoadResult> {
  const child = fork(new URL(import.meta.url), { execArgv: [] })
  child.send(plan)
  return new Promise((resolve, reject) => {
    child.once('message', (result) => resolve(result as LoadResult))
    child.once('exit', (code) => reject(new Error(`Cannot generate load: exit code ${code}`)))
  })
}

interface Prepared {
  readonly body: Buffer
  readonly headers: OutgoingHttpHeaders
}

function prepare(plan: LoadPlan): Prepared[] {
  const requestCount = Math.ceil(plan.recordCount / RECORDS_PER_REQUEST)
  const bodyCount = Math.min(requestCount, Math.max(BODY_COUNT_MAX, plan.streamNames.length))
  const records = logRecords(Math.min(bodyCount, BODY_COUNT_MAX) * RECORDS_PER_REQUEST)
  const prepared: Prepared[] = []
  for (let index = 0; index < bodyCount; index += 1) {
    const streamName = plan.streamNames[index % plan.streamNames.length] ?? ''
    const start = (index % BODY_COUNT_MAX) * RECORDS_PER_REQUEST
    const batch = records.slice(start, start + RECORDS_PER_REQUEST)
    for (const body of putBodies(streamName, batch)) {
      prepared.push({ body, headers: putHeaders(plan.port, plan.accessKey, body) })
    }
  }
  return prepared
}

async function execute(plan: LoadPlan): Promise<LoadResult> {
  const prepared = prepare(plan)
  const requestCount = Math.ceil(plan.recordCount / RECORDS_PER_REQUEST)
  const agent = new Agent({ keepAlive: true, maxSockets: plan.connectionCount })
  const latenciesMs: number[] = []
  let next = 0
  let acceptedCount = 0
  const started = performance.now()
  const connection = async (): Promise<void> => {
    while (next < requestCount) {
      const request = prepared[next % prepared.length]
      next += 1
      if (request === undefined) return
      const sent = performance.now()
      const count = await put(agent, plan.port, request)
      acceptedCount += count
      latenciesMs.push(performance.now() - sent)
    }
  }
  await Promise.all(Array.from({ length: plan.connectionCount }, connection))
  const seconds = (performance.now() - started) / 1_000
  agent.destroy()
  return { acceptedCount, seconds, latenciesMs }
}

/** One request; how many records were accepted. */
function put(agent: Agent, port: number, { body, headers }: Prepared): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { agent, host: '127.0.0.1', port, method: 'POST', path: '/', headers }
    const sent = request(options, (response) => {
      let head = ''
      response.on('data', (bytes: Buffer) => {
        if (head.length < 200) head += bytes.toString('latin1')
      })
      response.on('end', () => {
        const failed = /"FailedPutCount": ?(\d+)/.exec(head)?.[1]
        if (response.statusCode === 200 && failed === '0') resolve(RECORDS_PER_REQUEST)
        else if (response.statusCode === 503) resolve(0)
        else reject(new Error(`Cannot put: ${response.statusCode} ${head.slice(0, 200)}`))
      })
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

if (process.send !== undefined && process.argv[1]?.endsWith('load.ts') === true) {
  process.once('message', (plan) => {
    void execute(plan as LoadPlan).then((result) => {
      process.send?.(result, () => process.exit(0))
    })
  })
}
