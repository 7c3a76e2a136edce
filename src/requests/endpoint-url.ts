import type { ConfigurationContext } from '../destination.ts'
import { ConfigurationError } from '../destination.ts'

/**
 * Checks the address of a destination: any host and port, over http or https.
 * @param member for the message; the URL itself may hold a token
 * @throws ConfigurationError
 */
export function checkEndpointUrl(
  member: string,
  text: string,
  { strictAws }: ConfigurationContext,
): URL {
  const url = URL.parse(text)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new ConfigurationError(`${member} must be an http or https URL`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new ConfigurationError(`${member} must not hold a user name or password`)
  }
  if (strictAws && url.protocol !== 'https:') {
    throw new ConfigurationError(`${member} must be an https URL`)
  }
  return url
}
