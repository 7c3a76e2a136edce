import { DeliveryError } from '../destination.ts'

/** What the SDK throws: a service's answer (with `$metadata`) or trouble on the way there. */
interface SdkError extends Error {
  readonly code?: string
  readonly syscall?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

type Classification = Pick<DeliveryError, 'errorCode' | 'retryable' | 'effect' | 'brake'>

/** The request can't have left: the address was not found or nobody took the connection. */
const UNCONNECTED_CODES = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
])
/** An error name of S3's, and not a sentence from some proxy in between. */
const SERVICE_CODE = /^[A-Za-z][A-Za-z0-9.]{0,63}$/
/** Names that the SDK makes up where an answer has no body, as to HEAD. */
const NAMES_BY_STATUS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'AccessDenied',
  403: 'AccessDenied',
  404: 'NoSuchKey',
  412: 'PreconditionFailed',
}

export function statusOf(error: unknown): number | undefined {
  return (error as SdkError).$metadata?.httpStatusCode
}

/**
 * The failure of one request to S3, in AWS's error codes. Everything is worth another attempt, as
 * Firehose holds it; what it takes an operator to mend sets the brake.
 * @param act e.g. `put s3://bucket/key`
 */
export function s3Failure(act: string, error: unknown, signal: AbortSignal): DeliveryError {
  if (error instanceof DeliveryError) return error
  const { errorCode, ...classification } = classify(error as SdkError, signal)
  const cause = error instanceof Error ? error.message : String(error)
  return new DeliveryError(errorCode, `Cannot ${act}: ${cause || errorCode}`, {
    ...classification,
    cause: error,
  })
}

function classify(error: SdkError, signal: AbortSignal): Classification {
  if (signal.aborted) return unknownEffect('S3.RequestAborted')
  const status = error.$metadata?.httpStatusCode
  if (status !== undefined) return classifyAnswer(error.name, status)
  if (error.name === 'CredentialsProviderError') {
    return { errorCode: 'S3.CredentialsNotFound', retryable: true, effect: 'none', brake: true }
  }
  if (UNCONNECTED_CODES.has(error.code ?? '') || error.syscall === 'connect') {
    return { errorCode: 'S3.ConnectionFailed', retryable: true, effect: 'none', brake: false }
  }
  // The SDK calls a broken connection a timeout, too.
  const broken = error.code === 'ECONNRESET' || error.code === 'EPIPE'
  if (error.name === 'TimeoutError' && !broken) return unknownEffect('S3.RequestTimeout')
  return unknownEffect(error.code === undefined ? 'S3.InternalError' : 'S3.ConnectionFailed')
}

function classifyAnswer(name: string, status: number): Classification {
  const made =
    !SERVICE_CODE.test(name) || ['Error', 'Forbidden', 'NotFound', 'Unknown'].includes(name)
  const errorCode = `S3.${made ? (NAMES_BY_STATUS[status] ?? 'InternalError') : name}`
  // Another request, perhaps an earlier one of ours, is at work on the key or has ended the upload.
  const unclear = status === 409 || name === 'NoSuchUpload'
  const refused = status >= 300 && status < 500 && !unclear
  return {
    errorCode,
    retryable: true,
    effect: refused ? 'none' : 'unknown',
    brake: brakes(errorCode, status),
  }
}

/** Whether it takes an operator: no permission, no such bucket or key, a bucket in another region. */
function brakes(errorCode: string, status: number): boolean {
  if (errorCode === 'S3.NoSuchUpload') return false
  if (/^S3\.KMS\.(NotFound|Disabled)/.test(errorCode)) return true
  return [301, 401, 403, 404].includes(status)
}

function unknownEffect(errorCode: string): Classification {
  return { errorCode, retryable: true, effect: 'unknown', brake: false }
}
