/**
 * The errors of the API as AWS's JSON services answer them. The model gives no HTTP status: the
 * statuses are those that AWS's JSON 1.1 front end is known to send. ServiceUnavailableException
 * must be 5xx, or no SDK retries it.
 */
import type { JsonObject } from '../base/json.ts'

/** HTTP status by type, which is also what goes to the wire as `__type`, without a namespace. */
const STATUS_CODES = {
  // Of the Firehose model
  ConcurrentModificationException: 400,
  InvalidArgumentException: 400,
  InvalidKMSResourceException: 400,
  InvalidSourceException: 400,
  LimitExceededException: 400,
  ResourceInUseException: 400,
  ResourceNotFoundException: 400,
  ServiceUnavailableException: 503,
  // Common to AWS's JSON services
  AccessDeniedException: 400,
  IncompleteSignatureException: 400,
  InternalFailure: 500,
  InvalidSignatureException: 400,
  MissingAuthenticationTokenException: 400,
  SerializationException: 400,
  UnknownOperationException: 400,
  UnrecognizedClientException: 400,
  ValidationException: 400,
  // Of the HTTP layer, where AWS has no type of its own
  BadRequestException: 400,
  ForbiddenException: 403,
  LengthRequiredException: 411,
  MethodNotAllowedException: 405,
  NotFoundException: 404,
  RequestEntityTooLargeException: 413,
  RequestTimeoutException: 408,
  UnsupportedMediaTypeException: 415,
} as const

export type ApiErrorType = keyof typeof STATUS_CODES

export interface ApiErrorOptions extends ErrorOptions {
  /** Of InvalidKMSResourceException and InvalidSourceException only. */
  readonly code?: string
}

/** An answer to the caller. Its message is public. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly type: ApiErrorType
  readonly code: string | undefined

  constructor(type: ApiErrorType, message: string, options: ApiErrorOptions = {}) {
    super(message, options)
    this.type = type
    this.code = options.code
  }

  get statusCode(): number {
    return STATUS_CODES[this.type]
  }

  /** The body on the wire. */
  toBody(): JsonObject {
    const body = { __type: this.type, message: this.message }
    return this.code === undefined ? body : { ...body, code: this.code }
  }
}

export function invalidArgument(message: string): ApiError {
  return new ApiError('InvalidArgumentException', message)
}

export function serializationError(message: string): ApiError {
  return new ApiError('SerializationException', message)
}

/** AWS's wording, e.g. `Value at 'records' failed to satisfy constraint: Member must not be null`. */
export function validationError(violations: readonly string[]): ApiError {
  const noun = violations.length === 1 ? 'error' : 'errors'
  const message = `${violations.length} validation ${noun} detected: ${violations.join('; ')}`
  return new ApiError('ValidationException', message)
}

/** As AWS answers when KMS does not give it the stream's key. */
export function keyNotFound(message: string, options: ErrorOptions = {}): ApiError {
  const withCode = { ...options, code: 'KMS.NotFoundException' }
  return new ApiError('InvalidKMSResourceException', message, withCode)
}

export function streamNotFound(streamName: string, accountId: string): ApiError {
  const message = `Firehose ${streamName} under account ${accountId} not found.`
  return new ApiError('ResourceNotFoundException', message)
}

/** What AWS answers when it wants the caller to come back later; SDKs retry it. */
export function slowDown(options: ErrorOptions = {}): ApiError {
  return new ApiError('ServiceUnavailableException', 'Slow down.', options)
}
