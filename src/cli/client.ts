/**
 * How the commands that talk to a running service do so: Firehose's operations through the AWS SDK,
 * Standpipe's own routes by a signed request.
 */
import type { Firehose } from '@aws-sdk/client-firehose'
import { sign } from '../api/sigv4.ts'
import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import { systemClock } from '../base/clock.ts'
import { parseHostAndPort } from '../base/network-address.ts'
import { loadSettings } from '../settings.ts'
import type { Settings } from '../settings.ts'
import { CommandError, textFlag } from './command.ts'
import type { Invocation, Options } from './command.ts'

export const CLIENT_OPTIONS = {
  endpoint: { type: 'string' },
  region: { type: 'string' },
  config: { type: 'string' },
} satisfies Options

export const CLIENT_HELP = `
  --endpoint URL   the service; by default AWS_ENDPOINT_URL_FIREHOSE, else what it is set to listen on
  --region NAME    region of the signature; by default the service's setting
  --config FILE    settings file, as the service has it

Requests are signed with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, else with the first access key
of the settings.`

export interface Client {
  readonly endpoint: string
  readonly settings: Settings
  readonly firehose: Firehose
  /** Calls one of Standpipe's own routes; a body of bytes is sent as it is. */
  call(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body?: JsonObject | Buffer,
  ): Promise<JsonObject>
}

interface Connection {
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export function connect(invocation: Invocation): Promise<Client> {
  const { connection, settings } = readConnection(invocation)
  return openClient(connection, settings)
}

/** What flags, environment and settings say of where the service is and who calls it. */
export function readConnection(invocation: Invocation): {
  connection: Connection
  settings: Settings
} {
  const { environment } = invocation
  const config = textFlag(invocation, 'config')
  const { settings } = loadSettings({
    flags: config === undefined ? {} : { config },
    environment,
    workingDirectory: process.cwd(),
  })
  const [key = { id: 'standpipe', secret: 'standpipe' }] = settings.accessKeys
  const id = environment['AWS_ACCESS_KEY_ID']
  const secret = environment['AWS_SECRET_ACCESS_KEY']
  const connection = {
    endpoint:
      textFlag(invocation, 'endpoint') ??
      (environment['AWS_ENDPOINT_URL_FIREHOSE'] || endpointOf(settings)),
    region: textFlag(invocation, 'region') ?? settings.region,
    ...(id && secret
      ? { accessKeyId: id, secretAccessKey: secret }
      : { accessKeyId: key.id, secretAccessKey: key.secret }),
  }
  return { connection, settings }
}

export async function openClient(connection: Connection, settings: Settings): Promise<Client> {
  const { endpoint, region, ...credentials } = connection
  const { Firehose } = await import('@aws-sdk/client-firehose')
  return {
    endpoint,
    settings,
    firehose: new Firehose({ endpoint, region, credentials }),
    call: (method, path, body) => callRoute(connection, method, path, body),
  }
}

/** Where a service with these settings is reached from its own machine. */
export function endpointOf({ listen, tlsListen, tlsCert }: Settings): string {
  const { host, port } = parseHostAndPort(listen) ?? { host: '127.0.0.1', port: 4573 }
  const reachable = { '0.0.0.0': '127.0.0.1', '::': '[::1]' }[host] ?? bracketed(host)
  const scheme = tlsCert !== undefined && tlsListen === undefined ? 'https' : 'http'
  return `${scheme}://${reachable}:${port}`
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

async function callRoute(
  { endpoint, region, accessKeyId, secretAccessKey }: Connection,
  method: string,
  path: string,
  body?: JsonObject | Buffer,
): Promise<JsonObject> {
  const url = new URL(path, endpoint)
  const content = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body) ?? '')
  const headers = sign(
    { method, path: url.pathname, query: url.search.slice(1), headers: { host: url.host } },
    content,
    { accessKeyId, secretAccessKey, region },
    systemClock.nowMs(),
  )
  const { host: _, ...sent } = headers as Record<string, string>
  const response = await fetch(url, {
    method,
    headers: sent,
    ...(body !== undefined && { body: content }),
  })
  const text = await response.text()
  const answer = parseAnswer(text)
  if (response.ok) return answer
  const { message } = answer
  const reason = typeof message === 'string' ? message : `${response.status} ${text.slice(0, 200)}`
  throw new CommandError(`Cannot ${method} ${path}: ${reason}`)
}

function parseAnswer(text: string): JsonObject {
  try {
    const answer: unknown = JSON.parse(text)
    return isJsonObject(answer) ? answer : {}
  } catch {
    return {}
  }
}

/** Runs a client's work; what the service or the network answers becomes one line. */
export async function withClient(
  invocation: Invocation,
  work: (client: Client) => Promise<number>,
): Promise<number> {
  const client = await connect(invocation)
  try {
    return await work(client)
  } catch (error) {
    throw explainedFailure(error, client.endpoint)
  } finally {
    client.firehose.destroy()
  }
}

/** One line for what the user can mend; anything else as it is. */
export function explainedFailure(error: unknown, endpoint: string, service = 'Standpipe'): unknown {
  if (!(error instanceof Error) || error instanceof CommandError) return error
  const code = networkCode(error)
  if (code !== undefined) {
    const isOurs = service === 'Standpipe' && code === 'ECONNREFUSED'
    const hint = isOurs ? '; is it running? (npm start)' : ''
    return new CommandError(`Cannot reach ${service} at ${endpoint}: ${code}${hint}`)
  }
  if ('$metadata' in error) return new CommandError(`${error.name}: ${error.message}`)
  return error
}

/** fetch hides it in the cause, the SDK in the error itself; both sometimes in an AggregateError. */
function networkCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const { code } = error as NodeJS.ErrnoException
  return typeof code === 'string' ? code : networkCode(error.cause)
}
