/**
 * Without access keys, whoever reaches the port may do everything, and on a laptop each web page in
 * the user's browser reaches it:
 *
 * - A page may post to http://127.0.0.1 and needs no permission as long as it does not read the
 *   answer. Browsers say who asks, in Origin or Sec-Fetch-Site; SDKs send neither.
 * - A page may have its own name resolve to 127.0.0.1 (DNS rebinding) and is then of our origin, as
 *   far as the browser can tell: it reads what it likes. The Host header still holds the page's name.
 */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { ApiError } from './exceptions.ts'

/**
 * @param allowedHosts names that are ours besides localhost, in lower case; `any`: no name is refused
 * @throws ApiError ForbiddenException
 */
export function refuseWebPages(
  { headers }: IncomingMessage,
  allowedHosts: ReadonlySet<string> | 'any',
): void {
  if (headers.origin !== undefined || headers['sec-fetch-site'] === 'cross-site') {
    throw forbidden('Web pages may not call a service without access keys')
  }
  const { host } = headers
  if (allowedHosts === 'any' || host === undefined || isOurs(host, allowedHosts)) return
  throw forbidden(
    'This host name may not be used for a service without access keys; ' +
      'STANDPIPE_ALLOWED_HOSTS lists those that may',
  )
}

/** Nobody can make an address, or a name that never leaves this machine, point elsewhere. */
function isOurs(hostAndPort: string, allowedHosts: ReadonlySet<string>): boolean {
  const host = hostAndPort.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '')
  const isAddress = isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0
  return isAddress || /^(?:.+\.)?localhost$/.test(host) || allowedHosts.has(host)
}

function forbidden(message: string): ApiError {
  return new ApiError('ForbiddenException', message)
}
