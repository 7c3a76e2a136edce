/** Why there is no answer to a request, decided where the error is born. */

export type RequestFailureKind =
  /** Nobody took the connection: nothing was sent. */
  | 'connection-failed'
  /** The connection broke under way. */
  | 'connection-lost'
  | 'tls-failed'
  | 'timeout'
  | 'answer-too-large'
  /** What came is not HTTP. */
  | 'answer-malformed'
  /** We gave up ourselves. */
  | 'aborted'

export class RequestFailure extends Error {
  override readonly name = 'RequestFailure'
  readonly kind: RequestFailureKind
  /** Whether the request may have been acted on. */
  readonly effect: 'none' | 'unknown'

  constructor(kind: RequestFailureKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
    this.effect = kind === 'connection-failed' || kind === 'tls-failed' ? 'none' : 'unknown'
  }
}

/** What node:net, node:tls and undici throw. */
interface SystemError extends Error {
  readonly code?: string
  readonly syscall?: string
}

const UNCONNECTED_CODES = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'UND_ERR_CONNECT_TIMEOUT',
  // A proxy that doesn't let us through; our own signal is looked at before.
  'UND_ERR_ABORTED',
  'UND_ERR_INVALID_ARG',
  'UND_ERR_PRX_CONN',
  'UND_ERR_PRX_TLS',
])
const TLS_CODE =
  /^(?:ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/

/** @param signal ours, by which the request was given up if it is aborted */
export function requestFailure(error: unknown, signal: AbortSignal): RequestFailure {
  if (error instanceof RequestFailure) return error
  const message = error instanceof Error ? error.message : String(error)
  const kind = signal.aborted ? 'aborted' : kindOf(error as SystemError)
  return new RequestFailure(kind, message || (error as SystemError).code || kind, { cause: error })
}

function kindOf({ code = '', syscall }: SystemError): RequestFailureKind {
  if (UNCONNECTED_CODES.has(code) || syscall === 'connect') return 'connection-failed'
  if (TLS_CODE.test(code)) return 'tls-failed'
  if (code === 'UND_ERR_HEADERS_OVERFLOW') return 'answer-too-large'
  if (code.startsWith('HPE_')) return 'answer-malformed'
  return 'connection-lost'
}
