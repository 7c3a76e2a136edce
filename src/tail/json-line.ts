/**
 * One object in the order of its names, with a newline. By hand, for JSON.stringify would put names
 * that look like numbers first.
 */
export function jsonLine(names: readonly string[], values: readonly (string | null)[]): Buffer {
  const members = names.map(
    (name, index) => `${JSON.stringify(name)}:${JSON.stringify(values[index] ?? null)}`,
  )
  return Buffer.from(`{${members.join(',')}}\n`)
}

/** The text of a record without its line ending. */
export function textOf(record: Buffer): string {
  return record.toString('utf8').replace(/\r?\n$/, '')
}
