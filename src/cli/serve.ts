import { ApiError } from '../api/exceptions.ts'
import { PolicyError } from '../api/policy-error.ts'
import { systemClock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { pinoLogger } from '../base/pino-logger.ts'
import type { Service } from '../service.ts'
import { QUICKSTART_STREAM } from '../settings/quickstart.ts'
import { chooseObjectStore, flagOptions, loadSettings } from '../settings.ts'
import type { ObjectStoreChoice, Settings } from '../settings.ts'
import { banner } from './banner.ts'
import { CommandError, print, takePositionals } from './command.ts'
import type { Command } from './command.ts'
import { EXIT } from './exit-code.ts'

/**
 * On Ctrl-C a terminal signals the whole process group, and npm passes the signal on once more: what
 * comes this soon after the first is the same wish, not a second one.
 */
const SAME_SIGNAL_MS = 1_000
const HANG_MS = 2_000

export const serve: Command = {
  usage: 'serve',
  summary: 'run the service',
  help: `Runs the service until SIGTERM or SIGINT, then drains: what is buffered is sealed and delivered
within drainTimeoutMs; what is not stays on disk. A second signal ends it at once, and so does the
first while it starts. Logs go to stderr.

Every setting is a flag here, a variable STANDPIPE_… and a key of the file given with --config (or
STANDPIPE_CONFIG, or ./standpipe.yaml). standpipe settings --explain shows them with their values,
docs/operations.md with their meaning.`,
  options: flagOptions(),
  async run(invocation) {
    takePositionals(invocation, [])
    const { flags, environment } = invocation
    const loaded = loadSettings({ flags, environment, workingDirectory: process.cwd() })
    const objectStore = chooseObjectStore(loaded.settings, environment)
    const settings = withQuickstart(loaded.settings, objectStore)
    const logger = openLogger(settings)
    const stopOnFault = faultStop(logger)
    process.on('uncaughtException', stopOnFault)
    process.on('unhandledRejection', stopOnFault)
    const stop = new StopSignals()
    const service = await Promise.race([start(settings, objectStore, logger), stop.first])
    if (service === undefined) {
      logger.info({}, 'The service was stopped while it started.')
      return process.exit(EXIT.ok)
    }
    print(banner({ url: service.url, settings, objectStore }))
    await stop.first
    return process.exit(await drain(service, settings, logger, stop).catch(stopOnFault))
  },
}

function withQuickstart(settings: Settings, { kind }: ObjectStoreChoice): Settings {
  if (settings.deliveryStreams.length > 0 || kind !== 'folder') return settings
  return { ...settings, deliveryStreams: [QUICKSTART_STREAM] }
}

function openLogger({ logLevel, logFormat }: Settings): Logger {
  const automatic = process.stderr.isTTY ? 'text' : 'json'
  return pinoLogger({ level: logLevel, format: logFormat === 'auto' ? automatic : logFormat })
}

/** State that nobody foresaw is not to be worked with; what was accepted is on disk. */
function faultStop(logger: Logger): (error: unknown) => never {
  return (error) => {
    logger.error({ error }, 'The service stops: it met a fault of its own.')
    process.exit(EXIT.fault)
  }
}

async function start(
  settings: Settings,
  objectStore: ObjectStoreChoice,
  logger: Logger,
): Promise<Service> {
  const { startService } = await import('../service.ts')
  try {
    return await startService({ settings, objectStore, logger, clock: systemClock })
  } catch (error) {
    throw startError(error, settings)
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
    logger.info(outcome, 'The service has drained. What is left is on disk.')
    return EXIT.ok
  }
  logger.warn({ ...outcome }, 'The drain was cut short. What is not delivered is on disk.')
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
