/**
 * The official client for one endpoint, stripped of what the engine does: it neither retries nor
 * pings nor sniffs. Its errors say whether the request can have been sent.
 */
import type { ClientRequest } from 'node:http'
import { TLSSocket } from 'node:tls'
import { Client, Connection as PlainConnection } from '@opensearch-project/opensearch'
import { AwsSigv4Signer } from '@opensearch-project/opensearch/aws-v3'
import type { Connection } from '../../src/connections.ts'

const SOCKETS_MAX = 16

/** How far a request came that has no answer. */
export interface RequestTrace {
  /** There was a connection, and behind it the server may have read the request. */
  readonly connected?: boolean
  /** What Node said, for the client keeps only the message. */
  readonly systemError?: NodeJS.ErrnoException
}

export function openClient(
  endpoint: string,
  connection: Connection,
  requestTimeoutMs: number,
): Client {
  const { tlsCa: ca, tlsCertificate: cert, tlsKey: key, proxy, sigv4 } = connection
  const authorization = authorizationOf(connection)
  // The service is `es` or `aoss`, or what an operator of a signing proxy calls it.
  const signer = sigv4 && AwsSigv4Signer(sigv4 as Parameters<typeof AwsSigv4Signer>[0])
  return new Client({
    ...(signer !== undefined && { Transport: signer.Transport }),
    Connection: traced(signer?.Connection ?? PlainConnection),
    node: endpoint,
    requestTimeout: requestTimeoutMs,
    maxRetries: 0,
    resurrectStrategy: 'none',
    agent: { keepAlive: true, maxSockets: SOCKETS_MAX, maxFreeSockets: SOCKETS_MAX },
    ...(authorization !== undefined && { headers: { authorization } }),
    ...(proxy !== undefined && { proxy }),
    ssl: {
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
    },
  })
}

function authorizationOf({ username, password, apiKey }: Connection): string | undefined {
  if (apiKey !== undefined) return `ApiKey ${apiKey}`
  if (username === undefined) return undefined
  return `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}`
}

/** A class of connections whose errors carry a `RequestTrace`. */
function traced(Base: typeof PlainConnection): typeof PlainConnection {
  return class TracedConnection extends Base {
    override request(...[parameters, callback]: Parameters<PlainConnection['request']>) {
      const trace: { connected: boolean; systemError?: Error } = { connected: false }
      const request = super.request(parameters, (error, response) => {
        // From here on the client prints errors of the socket; whoever reads the answer gets them.
        if (response !== null) request.removeAllListeners('error').on('error', () => undefined)
        callback(error === null ? null : Object.assign(error, trace), response)
      })
      request.prependListener('error', (error) => {
        trace.systemError ??= error
      })
      whenConnected(request, () => {
        trace.connected = true
      })
      return request
    }
  }
}

function whenConnected(request: ClientRequest, connected: () => void): void {
  request.once('socket', (socket) => {
    const encrypted = socket instanceof TLSSocket
    // A socket that was used before, or a proxy's.
    if (request.reusedSocket || (!encrypted && !socket.connecting)) connected()
    else socket.once(encrypted ? 'secureConnect' : 'connect', connected)
  })
}
