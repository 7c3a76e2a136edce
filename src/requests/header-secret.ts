import type { Connections } from '../connections.ts'
import { DeliveryError } from '../destination.ts'
import { isHeaderValue } from './header-value.ts'

/**
 * A member of the secret that a SecretsManagerConfiguration names, fit for a header.
 * @param errorCode of the DeliveryError
 * @throws DeliveryError when the host has no such secret
 */
export async function headerSecret(
  connections: Connections,
  secretArn: string,
  member: string,
  errorCode: string,
): Promise<string> {
  try {
    const { [member]: value } = await connections.secret(secretArn)
    if (typeof value === 'string' && value !== '' && isHeaderValue(value)) return value
    throw new Error(`it has no ${member} of printable ASCII`)
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error)
    throw new DeliveryError(errorCode, `Cannot take ${member} from ${secretArn}: ${cause}`, {
      retryable: true,
      effect: 'none',
      brake: true,
      cause: error,
    })
  }
}
