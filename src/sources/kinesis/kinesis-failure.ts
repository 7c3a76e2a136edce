/** What calls to Kinesis fail with, in AWS's error codes. */
import { SourceError } from '../../source.ts'

/** What the SDK throws: a service's answer (with `$metadata`) or trouble on the way there. */
interface SdkError extends Error {
  readonly code?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

const DENIED = new Set([
  'AccessDeniedException',
  'CredentialsProviderError',
  'ExpiredTokenException',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'MissingAuthenticationTokenException',
  'UnrecognizedClientException',
])
const THROTTLED = new Set([
  'LimitExceededException',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'ThrottlingException',
])

/** The SDK calls these timeouts as well. */
const BROKEN = new Set(['ECONNRESET', 'EPIPE'])
const LIBRARY_PREFIX = /^@smithy\/\S+ - \[\w+\] /

/** A call was refused; why is in its name, as the service gave it. */
export class KinesisFailure extends SourceError {
  readonly operation: string
  readonly #serviceName: string

  constructor(operation: string, error: unknown) {
    const { name, message, $metadata, code } = toSdkError(error)
    const answered = $metadata?.httpStatusCode !== undefined
    const said = (message || code || name).replace(LIBRARY_PREFIX, '')
    super(errorCodeOf(name, code, answered), `Cannot call ${operation}: ${said}`, { cause: error })
    this.operation = operation
    this.#serviceName = name
  }

  get isThrottling(): boolean {
    return THROTTLED.has(this.#serviceName)
  }

  get isIteratorExpired(): boolean {
    return this.#serviceName === 'ExpiredIteratorException'
  }

  get isNotFound(): boolean {
    return this.#serviceName === 'ResourceNotFoundException'
  }

  /** Something of the name is being made or in use. */
  get isInUse(): boolean {
    return this.#serviceName === 'ResourceInUseException'
  }
}

function toSdkError(error: unknown): SdkError {
  return error instanceof Error ? error : new Error(String(error))
}

function errorCodeOf(name: string, code: string | undefined, answered: boolean): string {
  if (DENIED.has(name)) return 'Kinesis.AccessDenied'
  if (code !== undefined && BROKEN.has(code)) return 'Kinesis.ConnectionFailed'
  if (name === 'TimeoutError') return 'Kinesis.RequestTimeout'
  if (!answered && !name.endsWith('Exception')) return 'Kinesis.ConnectionFailed'
  return `Kinesis.${name.replace(/Exception$/, '')}`
}
