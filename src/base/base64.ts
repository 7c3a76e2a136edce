/** What Node takes for letters by looking at the low byte only. */
const WIDE = /[\u0100-\uffff]/

/**
 * Writes what padded base64 of the standard alphabet stands for; returns how many bytes that are, or
 * undefined for any other text. Node skips what isn't base64, so that fewer bytes come out than the
 * text's length tells; but some it takes for what it isn't, as it does with the URL-safe alphabet.
 */
export function writeBase64(text: string, target: Buffer, offset: number): number | undefined {
  if (WIDE.test(text) || text.includes('-') || text.includes('_')) return undefined
  const paddingBytes = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const sizeBytes = target.write(text, offset, 'base64')
  return sizeBytes === (text.length / 4) * 3 - paddingBytes ? sizeBytes : undefined
}

/** Room enough for what base64 stands for; none for what is no text. */
export function base64Room(text: unknown): number {
  return typeof text === 'string' ? Math.ceil(text.length / 4) * 3 : 0
}
