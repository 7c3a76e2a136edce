import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findProgram } from './install.ts'
import { freePort, startProcess, stopProcess } from './process.ts'

const run = promisify(execFile)
const SOURCE = fileURLToPath(new URL('otel', import.meta.url))
const CACHE = fileURLToPath(new URL('../../.cache/bin/', import.meta.url))

/** A log record that a receiver took, with the request that brought it. */
export interface Arrival {
  readonly data: string
  readonly attributes: Readonly<Record<string, unknown>>
  /** Those that the program reports; names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

/** OpenTelemetry's receivers for Firehose's HTTP protocol and for Splunk's HTTP event collector. */
export interface OtelReceivers extends AsyncDisposable {
  readonly firehosePort: number
  /** What the Firehose receiver asks for. */
  readonly accessKey: string
  readonly hecPort: number
  /** All so far, in order. */
  arrivals(): Promise<readonly Arrival[]>
}

const ACCESS_KEY = 'otel-access-key'

/** Built from the Go module proxy, for minutes the first time; undefined where there is no Go. */
export async function startOtelReceivers(): Promise<OtelReceivers | undefined> {
  const program = await build()
  if (program === undefined) return undefined
  const [firehosePort, hecPort] = [await freePort(), await freePort()]
  const folder = await mkdtemp(join(tmpdir(), 'otel-'))
  const file = join(folder, 'arrivals')
  const child = await startProcess(
    [
      program,
      `-firehose=127.0.0.1:${firehosePort}`,
      `-access-key=${ACCESS_KEY}`,
      `-hec=127.0.0.1:${hecPort}`,
      `-arrivals=${file}`,
    ],
    // It listens there last.
    { port: hecPort, folder, environment: {} },
  )
  return {
    firehosePort,
    accessKey: ACCESS_KEY,
    hecPort,
    async arrivals() {
      const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1)
      return lines.map(arrivalOf)
    },
    async [Symbol.asyncDispose]() {
      await stopProcess(child)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function arrivalOf(line: string): Arrival {
  const arrival = JSON.parse(line) as Arrival
  const headers = Object.entries(arrival.headers)
  return {
    ...arrival,
    data: Buffer.from(arrival.data, 'base64').toString(),
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
  }
}

/** The compiler is asked each time: it knows best what has changed. */
async function build(): Promise<string | undefined> {
  if (findProgram('go') === undefined) return undefined
  const program = `${CACHE}otel-receivers`
  try {
    await mkdir(CACHE, { recursive: true })
    await run('go', ['build', '-o', program, '.'], { cwd: SOURCE })
    return program
  } catch (error) {
    console.warn(`Cannot build the OpenTelemetry receivers: ${String(error)}`)
    return undefined
  }
}
