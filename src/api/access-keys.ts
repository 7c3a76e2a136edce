/**
 * Who may do what. Without any access key everybody may do everything; the service then answers on
 * loopback only, unless its operator insists (see service.ts).
 */
import { hash, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { ApiError } from './exceptions.ts'
import { allowEverything, compilePolicy } from './policy.ts'
import type { Policy, PolicyRequest } from './policy.ts'
import { PolicyError } from './policy-error.ts'
import { SignatureVerifier } from './signature-verifier.ts'
import type { Caller } from './operation.ts'

export interface AccessKey {
  readonly id: string
  readonly secret: string
  /** Absent: the key may do everything. Each is checked against PolicyStatement when loaded. */
  readonly statements?: readonly unknown[]
}

/** Access keys, loaded. */
export class AccessKeys {
  readonly signatures: SignatureVerifier
  readonly #policies: ReadonlyMap<string, Policy>
  readonly #secretHashes: ReadonlyMap<string, Buffer>

  /** @throws PolicyError when a key's statements can't be taken as they are, or its id comes twice */
  constructor(keys: readonly AccessKey[], clock: Clock) {
    this.#policies = new Map(keys.map((key) => [key.id, loadPolicy(key)]))
    if (this.#policies.size < keys.length) {
      throw new PolicyError('Cannot use access keys: an id comes twice')
    }
    this.#secretHashes = new Map(keys.map(({ id, secret }) => [id, hashOf(secret)]))
    this.signatures = new SignatureVerifier(
      new Map(keys.map(({ id, secret }) => [id, secret])),
      clock,
    )
  }

  /**
   * The key's id, of `<id>:<secret>`: for callers that can't sign. How long it takes tells nothing of
   * the secret.
   * @throws ApiError UnrecognizedClientException
   */
  identify(text: string): string {
    const colon = text.indexOf(':')
    const id = text.slice(0, Math.max(colon, 0))
    const given = hashOf(text.slice(colon + 1))
    if (timingSafeEqual(given, this.#secretHashes.get(id) ?? NO_HASH)) return id
    const message = 'The security token included in the request is invalid.'
    throw new ApiError('UnrecognizedClientException', message)
  }

  /** @throws ApiError AccessDeniedException */
  authorize(caller: Caller, request: PolicyRequest): void {
    const decision = this.#policies.get(caller.accessKeyId ?? '')?.(request) ?? 'not allowed'
    if (decision === 'allowed') return
    const { action, resource } = request
    const reason =
      decision === 'denied explicitly'
        ? 'with an explicit deny in an identity-based policy'
        : `because no identity-based policy allows the ${action} action`
    throw new ApiError(
      'AccessDeniedException',
      `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource} ${reason}`,
    )
  }
}

/** Of no secret. */
const NO_HASH = Buffer.alloc(32)

function hashOf(secret: string): Buffer {
  return hash('sha256', secret, 'buffer')
}

function loadPolicy({ id, statements }: AccessKey): Policy {
  if (statements === undefined) return allowEverything
  try {
    return compilePolicy(statements)
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error
    throw new PolicyError(`Cannot use access key ${id}: ${error.message}`, { cause: error })
  }
}
