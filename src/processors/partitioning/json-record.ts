/** What is said of a record that should be JSON and isn't. */
export const NOT_JSON = 'Non JSON record provided'

/**
 * The text of a record that is to be JSON. As jq does, a byte order mark at the start is passed over, and
 * what is no UTF-8 becomes U+FFFD.
 */
export function recordText(record: Buffer): string {
  const text = record.toString('utf8')
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
}
