/**
 * The container's HEALTHCHECK: whether the service answers. Not whether it has room for records: a
 * store that is full is emptied by the service, and who restarts it for being unhealthy gains nothing.
 *
 * Plain JavaScript without imports of ours, for it runs every few seconds. The listener speaks HTTPS
 * when it has a certificate, for a name that is not ours here.
 */
import http from 'node:http'
import https from 'node:https'

const DEFAULT_LISTEN = '0.0.0.0:4573'
const TIMEOUT_MS = 4_000

const [, host, port] = /^(.*):(\d+)$/.exec(process.env.STANDPIPE_LISTEN || DEFAULT_LISTEN) ?? []
const everywhere = ['0.0.0.0', '[::]', '', undefined].includes(host)
const target = {
  host: everywhere ? '127.0.0.1' : host.replaceAll(/[[\]]/g, ''),
  port,
  path: '/health/live',
  timeout: TIMEOUT_MS,
  rejectUnauthorized: false,
}

function ask({ get }) {
  return new Promise((resolve, reject) => {
    const request = get(target, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    request.on('timeout', () => request.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)))
    request.on('error', reject)
  })
}

try {
  const statusCode = await ask(http).catch(() => ask(https))
  if (statusCode !== 200) throw new Error(`HTTP ${statusCode}`)
} catch (error) {
  process.stderr.write(`Cannot reach the service on port ${port}: ${error.message}\n`)
  process.exitCode = 1
}
