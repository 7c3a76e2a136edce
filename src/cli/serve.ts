import { ApiError } from '../api/exceptions.ts'
import { PolicyError } from '../api/policy-error.ts'
import { systemClock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { pinoLogger } from '../base/pino-logger.ts'
import type { EngineOptions } from '../engine.ts'
import type { Role } from '../backends/opened-backend.ts'
import type { Service } from '../service.ts'
import { QUICKSTART_STREAM } from '../settings/quickstart.ts'
import { chooseObjectStore, flagOptions, loadSettings } from '../settings.ts'
import type { ObjectStoreChoice, Settings } from '../settings.ts'
import { banner } from './banner.ts'
import { CommandError, print, takePositionals, usageError } from './command.ts'
import type { Command, Invocation } from './command.ts'
import { EXIT } from './exit-code.ts'

/**
 * On Ctrl-C a terminal signals the whole process group, and npm passes the signal on once more: what
 * comes this soon after the first is the same wish, not a second one.
 */
const SAME_SIGNAL_MS = 1_000
const HANG_MS = 2_000

const SETTINGS_HELP = `Every setting is a flag here, a variable STANDPIPE_… and a key of the file given with --config (or
STANDPIPE_CONFIG, or ./standpipe.yaml). standpipe settings --explain shows them with their values,
docs/operations.md with their meaning.`

export const serve: Command = {
  usage: 'serve',
  summary: 'run the service',
  help: `Runs the service until SIGTERM or SIGINT, then drains: what is buffered is sealed and delivered
within drainTimeoutMs; what is not stays on disk. On a Redis backend what is buffered stays there, for
others to go on with. A second signal ends it at once, and so does the first while it starts. Logs go to
stderr.

${SETTINGS_HELP}`,
  options: flagOptions(),
  run: (invocation) => runRole('all', invocation),
}

export const api: Command = {
  usage: 'api',
  summary: 'receive records and deliver none, on a Redis backend',
  help: `Runs the part of the service that receives: Firehose's API and the routes beside it. Any number of
these share a Redis (--backend redis://…) with any number of standpipe worker. On SIGTERM or SIGINT it ends
the requests that it has and stops; what is buffered is in the Redis.

${SETTINGS_HELP}`,
  options: flagOptions(),
  run: (invocation) => runRole('api', invocation),
}

export const worker: Command = {
  usage: 'worker',
  summary: 'deliver what others receive, on a Redis backend',
  help: `Runs the part of the service that delivers, and answers /health and /metrics. Any number of these share
a Redis (--backend redis://…) with any number of standpipe api. On SIGTERM or SIGINT it claims no more,
ends what it has in hand within drainTimeoutMs, and gives the rest back.

${SETTINGS_HELP}`,
  options: flagOptions(),
  run: (invocation) => runRole('worker', invocation),
}

async function runRole(role: Role, invocation: Invocation): Promise<number> {
  takePositionals(invocation, [])
  const { flags, environment } = invocation
  const loaded = loadSettings({ flags, environment, workingDirectory: process.cwd() })
  const objectStore = chooseObjectStore(loaded.settings, environment)
  const settings = withQuickstart(loaded.settings, objectStore)
  if (role !== 'all') refuseAlone(role, settings, objectStore)
  const logger = openLogger(settings)
  const stopOnFault = faultStop(logger)
  process.on('uncaughtException', stopOnFault)
  process.on('unhandledRejection', stopOnFault)
  const stop = new StopSignals()
  const service = await Promise.race([start({ settings, role, objectStore, logger }), stop.first])
  if (service === undefined) {
    logger.info({}, 'The service was stopped while it started.')
    return process.exit(EXIT.ok)
  }
  print(banner({ url: service.url, settings, role, objectStore }))
  await stop.first
  return process.exit(await drain(service, settings, logger, stop).catch(stopOnFault))
}

/** One half of the service is of use only beside the other, with a store of objects that both reach. */
function refuseAlone(role: Role, { backend }: Settings, { kind }: ObjectStoreChoice): void {
  if (backend === 'embedded') {
    throw usageError(
      `Cannot run ${role}: the backend is embedded; set backend to a Redis, or run standpipe serve`,
    )
  }
  if (kind === 'folder') {
    throw usageError(
      `Cannot run ${role} with local folders for buckets, which no other process sees: set s3Endpoint, ` +
        'or AWS credentials',
    )
  }
}

function withQuickstart(settings: Settings, { kind }: ObjectStoreChoice): Settings {
  if (settings.deliveryStreams.length > 0 || kind !== 'folder') return settings
  return { ...settings, deliveryStreams: [QUICKSTART_STREAM] }
}

function openLogger({ logLevel, logFormat }: Settings): Logger {
  const automatic = process.stderr.isTTY ? 'text' : 'json'
  return pinoLogger({ level: logLevel, format: logFormat === 'auto' ? automatic : logFormat })
}

/** State that nobody foresaw is not to be worked with; what was accepted is kept. */
function faultStop(logger: Logger): (error: unknown) => never {
  return (error) => {
    logger.error({ error }, 'The service stops: it met a fault of its own.')
    process.exit(EXIT.fault)
  }
}

async function start(options: Omit<EngineOptions, 'clock'>): Promise<Service> {
  const { startService } = await import('../service.ts')
  try {
    return await startService({ ...options, clock: systemClock })
  } catch (error) {
    throw startError(error, options.settings)
  }
}

/**
 * What an operator can mend becomes one line: what is declared, the system's errors, and our own
 * plain ones (data directory in use, key unusable). A TypeError and its like are faults.
 */
function startError(error: unknown, settings: Settings): unknown {
  if (!(error instanceof Error)) return error
  const options = { cause: error }
  if (error instanceof PolicyError || error instanceof ApiError) {
    return new CommandError(`Cannot start: ${error.message}`, EXIT.usage, options)
  }
  const { code, syscall } = error as NodeJS.ErrnoException
  if (syscall === 'listen' || syscall === 'getaddrinfo') {
    const message = `Cannot listen on ${settings.listen}: ${error.message}`
    return new CommandError(message, EXIT.cannotStart, options)
  }
  if (code === undefined && error.constructor !== Error) return error
  const message = code === undefined ? error.message : `Cannot start: ${error.message}`
  return new CommandError(message, EXIT.cannotStart, options)
}

/** The service itself gives deliveries up in time; what hangs beyond that is not waited for. */
async function drain(
  service: Service,
  { drainTimeoutMs }: Settings,
  logger: Logger,
  stop: StopSignals,
): Promise<number> {
  logger.info({ drainTimeoutMs }, 'The service drains.')
  const hang = systemClock.sleep(drainTimeoutMs + HANG_MS)
  const outcome = await Promise.race([service.drain(), hang, stop.second])
  if (outcome?.cutShort === false) {
    logger.info(outcome, 'The service has drained. What is left is kept.')
    return EXIT.ok
  }
  logger.warn({ ...outcome }, 'The drain was cut short. What is not delivered is kept.')
  return EXIT.drainTimedOut
}

/** The first signal asks for a drain, a later one for an end. */
class StopSignals {
  readonly first: Promise<undefined>
  readonly second: Promise<undefined>

  constructor() {
    const first = Promise.withResolvers<undefined>()
    const second = Promise.withResolvers<undefined>()
    let firstMs: number | undefined
    const receive = (): void => {
      const nowMs = systemClock.monotonicMs()
      if (firstMs === undefined) {
        firstMs = nowMs
        first.resolve(undefined)
      } else if (nowMs - firstMs > SAME_SIGNAL_MS) second.resolve(undefined)
    }
    process.on('SIGTERM', receive)
    process.on('SIGINT', receive)
    this.first = first.promise
    this.second = second.promise
  }
}
