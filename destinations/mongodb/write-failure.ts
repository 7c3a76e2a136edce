/** What the driver's errors mean: of one document, or of the whole attempt. */
import type { WriteError } from 'mongodb'
import {
  MongoBulkWriteError,
  MongoCompatibilityError,
  MongoError,
  MongoInvalidArgumentError,
  MongoMissingCredentialsError,
  MongoMissingDependencyError,
  MongoParseError,
  MongoServerSelectionError,
} from 'mongodb'
import type { RecordFailure } from '../../src/destination.ts'
import { DeliveryError } from '../../src/destination.ts'

export const DUPLICATE_KEY = 11_000

/** Until the client has got through, or when the server says so, nothing was written. */
const NO_EFFECT_LABELS = ['HandshakeError', 'NoWritesPerformed']

/** What the server, or the driver in its place, says will pass. */
const PASSING_LABELS = ['RetryableWriteError', 'TransientTransactionError', 'RetryableError']

/** The driver's word on how it is used: the connection string, a certificate, credentials. */
const MISUSES = [
  MongoCompatibilityError,
  MongoInvalidArgumentError,
  MongoMissingCredentialsError,
  MongoMissingDependencyError,
  MongoParseError,
]

/** An operator's to mend: who we are, what we may do, and where we write. */
const BRAKE_CODES = new Set([
  11, // UserNotFound
  13, // Unauthorized
  18, // AuthenticationFailed
  26, // NamespaceNotFound
  59, // CommandNotFound
  73, // InvalidNamespace
  166, // CommandNotSupportedOnView
  323, // APIStrictError
  334, // MechanismUnavailable
  8000, // AtlasError: no access, or over quota
])

/** The request itself was not understood: nothing of it was done. */
const UNREAD_CODES = new Set([
  2, // BadValue
  9, // FailedToParse
  14, // TypeMismatch
  15, // Overflow
  22, // InvalidBSON
  10_334, // BSONObjectTooLarge
])

/** Of a single document; all others are the document's own fault. */
const RETRYABLE_CODES = new Set([
  6, // HostUnreachable
  7, // HostNotFound
  50, // MaxTimeMSExpired
  63, // StaleShardVersion
  89, // NetworkTimeout
  91, // ShutdownInProgress
  112, // WriteConflict
  133, // FailedToSatisfyReadPreference
  150, // StaleEpoch
  189, // PrimarySteppedDown
  262, // ExceededTimeLimit
  9001, // SocketException
  10_107, // NotWritablePrimary
  11_600, // InterruptedAtShutdown
  11_602, // InterruptedDueToReplStateChange
  13_388, // StaleConfig
  13_435, // NotPrimaryNoSecondaryOk
  13_436, // NotPrimaryOrSecondary
  14_031, // OutOfDiskSpace
  16_500, // Cosmos DB: too many requests
])

const MESSAGE_CHARACTERS_MAX = 500

/** Whether the error says of each document what became of it. */
export function isOfDocuments(error: unknown): error is MongoBulkWriteError {
  return (
    error instanceof MongoBulkWriteError &&
    [error.writeErrors].flat().length > 0 &&
    error.result.getWriteConcernError() === undefined
  )
}

/** @param error of a document that is not in the collection */
export function writeFailure(ordinal: number, { code, errmsg }: WriteError): RecordFailure {
  const errorMessage =
    code === DUPLICATE_KEY
      ? 'Cannot insert: another document has the same _id, or the same key of a unique index'
      : `Cannot insert: ${(errmsg ?? 'the server gives no reason').slice(0, MESSAGE_CHARACTERS_MAX)}`
  return {
    ordinal,
    errorCode: `MongoDB.${code}`,
    errorMessage,
    retryable: RETRYABLE_CODES.has(code),
    effect: 'none',
  }
}

/**
 * An attempt that failed as a whole. What it left behind is harmless, for a repeat has the same ids.
 * What isn't the driver's error stays as it is.
 * @param hasWritten something was written before this failed
 */
export function deliveryError(error: unknown, hasWritten = false): unknown {
  if (!isNameFailure(error) && !(error instanceof MongoError)) return error
  const code = error instanceof MongoError ? codeOf(error) : 'MongoDB.HostNotFound'
  const brake = isOperators(error)
  const effect = !hasWritten && (brake || isUntouched(error)) ? 'none' : 'unknown'
  const message = `Cannot insert: ${error.message.slice(0, MESSAGE_CHARACTERS_MAX)}`
  return new DeliveryError(code, message, { retryable: true, effect, brake, cause: error })
}

/** Somebody must mend it: it will not pass by itself. */
function isOperators(error: Error): boolean {
  if (!(error instanceof MongoError)) return false
  if (PASSING_LABELS.some((label) => error.hasErrorLabel(label))) return false
  return MISUSES.some((misuse) => error instanceof misuse) || BRAKE_CODES.has(Number(error.code))
}

function isUntouched(error: Error): boolean {
  if (!(error instanceof MongoError) || error instanceof MongoServerSelectionError) return true
  if (error instanceof MongoBulkWriteError && error.insertedCount > 0) return false
  return (
    NO_EFFECT_LABELS.some((label) => error.hasErrorLabel(label)) ||
    UNREAD_CODES.has(Number(error.code))
  )
}

/** The driver's writes take no signal; one that goes on unheard is harmless. */
export async function unlessAborted<Result>(
  writing: Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => {
    const message = 'Cannot insert: the attempt was given up'
    const options = { retryable: true, effect: 'unknown' } as const
    aborted.reject(new DeliveryError('MongoDB.RequestAborted', message, options))
  }
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  try {
    return await Promise.race([writing, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function codeOf(error: MongoError): string {
  if (error.code !== undefined) return `MongoDB.${error.code}`
  // The driver wraps what broke the connection under way.
  if (error instanceof MongoBulkWriteError) return 'MongoDB.ConnectionFailed'
  return `MongoDB.${error.name.replace(/^Mongo/, '').replace(/Error$/, '')}`
}

/** Of a `mongodb+srv:` URL, whose servers are in the DNS. */
function isNameFailure(error: unknown): error is Error {
  if (!(error instanceof Error)) return false
  return String((error as NodeJS.ErrnoException).syscall).startsWith('query')
}
