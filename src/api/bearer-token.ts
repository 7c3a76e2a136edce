import { createHash, timingSafeEqual } from 'node:crypto'
import { ApiError } from './exceptions.ts'

/** What a client shows that can't sign, such as Prometheus: `Authorization: Bearer <token>`. */
export class BearerToken {
  readonly #hash: Buffer

  constructor(token: string) {
    this.#hash = sha256(token)
  }

  /**
   * Whether the header shows the token; not, where it shows none at all.
   * @throws ApiError ForbiddenException when it shows another
   */
  isIn(authorization: string | undefined): boolean {
    const [, shown] = /^Bearer +(.+)$/i.exec(authorization ?? '') ?? []
    if (shown === undefined) return false
    // Of equal length whatever was shown, and compared in equal time.
    if (timingSafeEqual(sha256(shown), this.#hash)) return true
    throw new ApiError('ForbiddenException', 'The bearer token is not the right one')
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
