import { join, relative } from 'node:path'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { hasFileNames, keySegment, objectPath } from './folder-path.ts'

const ROOT = '/data/buckets'

/** Keys made of what hurts. */
const hostileKeys = fc
  .array(fc.constantFrom('', '.', '..', '...', '%', '%2E', '%2e', '\0', '\n', 'a', 'ü', ' ', '~'), {
    minLength: 1,
    maxLength: 6,
  })
  .chain((pieces) => fc.constantFrom('/', '').map((glue) => pieces.join(glue)))

test.each([
  ['logs/2026/11/21/12/app-1-2026-11-21.gz', 'logs/2026/11/21/12/app-1-2026-11-21.gz'],
  ['dt=2026-11-21T12:00:00+01:00/é 😀', 'dt=2026-11-21T12:00:00+01:00/é 😀'],
  ['../../etc/passwd', '%2E%2E/%2E%2E/etc/passwd'],
  ['./a/.hidden/...', '%2E/a/.hidden/...'],
  ['/a//b/', '%/a/%/b/%'],
  ['', '%'],
  ['100%/%2E', '100%25/%252E'],
  ['nul\0/new\nline', 'nul%00/new%0Aline'],
  ['half \uD800', 'half \uFFFD'],
])('key %j lies at %j', (key, path) => {
  expect(objectPath(ROOT, 'bucket', key)).toBe(join(ROOT, 'bucket', path))
})

test('no key leaves its bucket', () => {
  fc.assert(
    fc.property(hostileKeys, (key) => {
      const path = relative(join(ROOT, 'bucket'), objectPath(ROOT, 'bucket', key))
      expect(path.split('/')).toHaveLength(key.split('/').length)
      expect(path.split('/').filter((name) => ['', '.', '..'].includes(name))).toEqual([])
    }),
  )
})

test('every key can be read back from its path', () => {
  fc.assert(
    fc.property(fc.oneof(hostileKeys, fc.string({ unit: 'grapheme' })), (key) => {
      const path = relative(join(ROOT, 'bucket'), objectPath(ROOT, 'bucket', key))
      expect(path.split('/').map(keySegment).join('/')).toBe(key)
    }),
  )
})

test.each([
  ['my.bucket', 'my.bucket'],
  ['..', '%2E%2E'],
  ['.partial', '%2Epartial'],
])('bucket %j lies at %j', (bucket, name) => {
  expect(objectPath(ROOT, bucket, 'key')).toBe(join(ROOT, name, 'key'))
})

test.each([
  ['a'.repeat(255), true],
  ['a'.repeat(256), false],
  ['é'.repeat(128), false],
  // Each becomes `%25`.
  ['%'.repeat(85), true],
  ['%'.repeat(86), false],
])('%j has a file name: %s', (segment, expected) => {
  expect([segment, `a/${segment}`, `${segment}/a`].map(hasFileNames)).toEqual(
    Array.from({ length: 3 }, () => expected),
  )
})
