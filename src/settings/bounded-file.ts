import { closeSync, openSync, readSync } from 'node:fs'

/** @throws what the system says, or Error for a file that is too large */
export function readBoundedFile(path: string, sizeBytesMax: number): string {
  const bytes = Buffer.alloc(sizeBytesMax + 1)
  const file = openSync(path, 'r')
  let length = 0
  try {
    let read: number
    do {
      read = readSync(file, bytes, length, bytes.byteLength - length, null)
      length += read
    } while (read > 0 && length < bytes.byteLength)
  } finally {
    closeSync(file)
  }
  if (length > sizeBytesMax) throw new Error(`${path} is larger than ${sizeBytesMax} bytes`)
  return bytes.toString('utf8', 0, length)
}
