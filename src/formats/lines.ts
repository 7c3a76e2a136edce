const NEWLINE = 0x0a

/**
 * Cuts a stream of bytes into lines, without their newlines unless `keepNewline`. A last line
 * without newline counts. Bytes stay bytes: nothing is decoded.
 * @throws RangeError when a line is longer than `lineBytesMax`
 */
export async function* readLines(
  input: AsyncIterable<Uint8Array>,
  { lineBytesMax, keepNewline }: { lineBytesMax: number; keepNewline: boolean },
): AsyncGenerator<Buffer> {
  let parts: Buffer[] = []
  let partBytes = 0
  let lineNumber = 1
  const take = (part: Buffer): void => {
    partBytes += part.byteLength
    if (partBytes > lineBytesMax) {
      throw new RangeError(`line ${lineNumber} is longer than ${lineBytesMax} bytes`)
    }
    parts.push(part)
  }
  for await (const bytes of input) {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let start = 0
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start)
      if (end === -1) break
      take(chunk.subarray(start, keepNewline ? end + 1 : end))
      yield parts.length === 1 ? (parts[0] ?? chunk) : Buffer.concat(parts)
      parts = []
      partBytes = 0
      lineNumber += 1
      start = end + 1
    }
    if (start < chunk.byteLength) take(chunk.subarray(start))
  }
  if (parts.length > 0) yield Buffer.concat(parts)
}
