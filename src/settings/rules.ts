import { parseBackend } from '../backend.ts'
import type { Backend } from '../backend.ts'
import { isLoopback, parseHostAndPort } from '../base/network-address.ts'
import type { Settings } from './schema.ts'
import { SettingsError } from './sources.ts'

/**
 * What no single setting can know of itself.
 * @throws SettingsError
 */
export function refuseContradictions(settings: Settings): void {
  refuseBackend(settings)
  if ((settings.tlsCert === undefined) !== (settings.tlsKey === undefined)) {
    throw new SettingsError('Cannot use TLS: tlsCert and tlsKey must be given together')
  }
  if (settings.tlsListen !== undefined && settings.tlsCert === undefined) {
    throw new SettingsError('Cannot use tlsListen: it needs tlsCert and tlsKey')
  }
  if (settings.retryBackoffFirstMs > settings.retryBackoffMaxMs) {
    throw new SettingsError('Cannot use retryBackoffFirstMs: it exceeds retryBackoffMaxMs')
  }
  if (settings.metricsToken !== undefined && settings.accessKeys.length === 0) {
    throw new SettingsError(
      'Cannot use metricsToken: without access keys everybody may read the metrics',
    )
  }
  refuseRepeats(settings)
  for (const address of [settings.listen, settings.tlsListen]) {
    if (address !== undefined) refuseOpenAddress(address, settings)
  }
  const { bullBoardListen: board, insecureOpen } = settings
  if (board !== undefined && !insecureOpen && !isLoopback(parseHostAndPort(board)?.host ?? '')) {
    throw new SettingsError(
      `Cannot show bull-board on ${board}: it asks nobody who they are; use loopback, or ` +
        '--insecure-open if that is meant',
    )
  }
}

function refuseBackend({ backend, redisPassword, bullBoardListen }: Settings): void {
  let parsed: Backend
  try {
    parsed = parseBackend(backend)
  } catch (error) {
    throw new SettingsError((error as Error).message, { cause: error })
  }
  if (parsed.kind === 'embedded') {
    const needing = { redisPassword, bullBoardListen }
    const [name] = Object.entries(needing).find(([, value]) => value !== undefined) ?? []
    if (name === undefined) return
    throw new SettingsError(`Cannot use ${name}: the backend is embedded`)
  }
  if (redisPassword !== undefined && parsed.place.password !== undefined) {
    throw new SettingsError('Cannot use redisPassword: the URL of the backend has a password')
  }
}

/** Without keys only this machine may be listened to, unless somebody insists. */
function refuseOpenAddress(address: string, settings: Settings): void {
  const parsed = parseHostAndPort(address)
  if (parsed === undefined) {
    throw new SettingsError(`Cannot listen on ${address}: not an address and a port up to 65535`)
  }
  if (settings.accessKeys.length > 0 || settings.insecureOpen || isLoopback(parsed.host)) return
  throw new SettingsError(
    `Cannot listen on ${address} without access keys: whoever reaches it could do everything; ` +
      'set STANDPIPE_ACCESS_KEYS=id:secret, or --insecure-open if that is meant',
  )
}

function refuseRepeats({ accessKeys, deliveryStreams }: Settings): void {
  const lists = {
    accessKeys: accessKeys.map(({ id }) => id),
    deliveryStreams: deliveryStreams.map((stream) => stream.DeliveryStreamName),
  }
  for (const [name, ids] of Object.entries(lists)) {
    const repeated = ids.find((id, index) => ids.indexOf(id) !== index)
    if (repeated !== undefined) {
      throw new SettingsError(`Cannot use ${name}: ${repeated} is there twice`)
    }
  }
}
