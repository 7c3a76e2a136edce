const NEWLINE = 0x0a
const SPACE = 0x20

/** The agent's SINGLELINE: newlines go, and with them the white space around each line. */
export function singleLine(record: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let start = 0; start < record.byteLength;) {
    const newline = record.indexOf(NEWLINE, start)
    const end = newline === -1 ? record.byteLength : newline
    parts.push(trimmed(record.subarray(start, end)))
    start = end + 1
  }
  return Buffer.concat([...parts, Buffer.from('\n')])
}

/** On bytes: no byte of a longer UTF-8 sequence is a space or a control character. */
function trimmed(line: Buffer): Buffer {
  let start = 0
  let end = line.byteLength
  while (start < end && (line[start] ?? 0) <= SPACE) start += 1
  while (end > start && (line[end - 1] ?? 0) <= SPACE) end -= 1
  return line.subarray(start, end)
}
