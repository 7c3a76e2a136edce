/**
 * Where an object lies on disk. S3 allows keys that no file system would: `a//b`, `../x`, `/`, NUL.
 * Each segment of a key (what stands between slashes) becomes one file name, reversibly, so that a
 * key can neither leave its bucket nor meet another key's file. Ordinary keys stay as they are.
 *
 *   path   <root>/<bucket>/<name>[/<name>]…, a name for each segment
 *   name   the segment, with `%` and control characters percent-encoded;
 *          `%2E` and `%2E%2E` for the segments `.` and `..`;
 *          `%` for the empty segment (no other segment gives it)
 *
 * A bucket's name is treated alike, and a `.` at its beginning always becomes `%2E`: what begins
 * with a dot in the root folder is ours.
 *
 * Beyond the reach of a folder: segments of more than 255 bytes, and two keys of which one is a
 * folder of the other (`a` and `a/b`). Where the file system ignores case, so do the keys.
 */
import { join } from 'node:path'

const FILE_NAME_BYTES_MAX = 255

// oxlint-disable-next-line no-control-regex
const UNSAFE = /[%\u0000-\u001F\u007F]/g

export function objectPath(root: string, bucket: string, key: string): string {
  return join(bucketPath(root, bucket), ...key.split('/').map(fileName))
}

export function bucketPath(root: string, bucket: string): string {
  return join(root, fileName(bucket).replace(/^\./, '%2E'))
}

/** Whether each segment of the key has a name that file systems take. */
export function hasFileNames(key: string): boolean {
  return key
    .split('/')
    .every((segment) => Buffer.byteLength(fileName(segment)) <= FILE_NAME_BYTES_MAX)
}

/** The segment of a key that has this file name. */
export function keySegment(name: string): string {
  if (name === '%') return ''
  return name.replaceAll(/%([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

function fileName(segment: string): string {
  if (segment === '') return '%'
  if (segment === '.' || segment === '..') return segment.replaceAll('.', '%2E')
  // Half a surrogate pair has no UTF-8; S3 would be sent U+FFFD as well.
  return segment.toWellFormed().replaceAll(UNSAFE, percentEncoded)
}

function percentEncoded(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
