import { expect, test } from 'vitest'
import { maskedBackend, parseBackend } from './backend.ts'

const PLACE = {
  kind: 'single',
  nodes: [{ host: 'redis', port: 6379 }],
  tls: false,
  database: 0,
  prefix: 'standpipe',
}

test('the embedded backend needs nothing more', () => {
  expect(parseBackend('embedded')).toEqual({ kind: 'embedded' })
})

test.each([
  ['redis://redis', {}],
  ['redis://redis/', {}],
  ['redis://redis:7000', { nodes: [{ host: 'redis', port: 7000 }] }],
  ['redis://10.0.0.1/3', { nodes: [{ host: '10.0.0.1', port: 6379 }], database: 3 }],
  ['redis://[::1]', { nodes: [{ host: '::1', port: 6379 }] }],
  ['redis://[fe80::1]:7000/3', { nodes: [{ host: 'fe80::1', port: 7000 }], database: 3 }],
  ['rediss://redis', { tls: true }],
  ['redis://redis?prefix=team-a.v2', { prefix: 'team-a.v2' }],
  ['redis://redis/1?prefix=a', { database: 1, prefix: 'a' }],
  ['redis://ann@redis', { username: 'ann' }],
  ['redis://:secret@redis', { password: 'secret' }],
  ['redis://ann:secret@redis', { username: 'ann', password: 'secret' }],
  ['redis://ann:a:b?c#d@redis', { username: 'ann', password: 'a:b?c#d' }],
  ['redis://a%40b:%40%2F%3A%25@redis', { username: 'a@b', password: '@/:%' }],
  [
    'redis+sentinel://one,two:5000/events',
    {
      kind: 'sentinel',
      nodes: [
        { host: 'one', port: 26_379 },
        { host: 'two', port: 5000 },
      ],
      masterName: 'events',
    },
  ],
  [
    'rediss+sentinel://ann:secret@[::1]/events/2?prefix=a',
    {
      kind: 'sentinel',
      nodes: [{ host: '::1', port: 26_379 }],
      tls: true,
      username: 'ann',
      password: 'secret',
      masterName: 'events',
      database: 2,
      prefix: 'a',
    },
  ],
  [
    'redis+cluster://one:7000,[::1]:7001,three',
    {
      kind: 'cluster',
      nodes: [
        { host: 'one', port: 7000 },
        { host: '::1', port: 7001 },
        { host: 'three', port: 6379 },
      ],
    },
  ],
  [
    'rediss+cluster://:secret@redis/?prefix=a',
    { kind: 'cluster', tls: true, password: 'secret', prefix: 'a' },
  ],
])('%s is a place', (url, place) => {
  expect(parseBackend(url)).toEqual({ kind: 'redis', place: { ...PLACE, ...place } })
})

const FORM = /it must be embedded, or a URL such as/
const HOST = /a host in its URL is not one/
const DATABASE = /is no number of a database/

test.each([
  ['', FORM],
  ['Embedded', FORM],
  ['redis', FORM],
  ['redis:6379', FORM],
  ['redis://', FORM],
  ['redis:///0', FORM],
  ['redis://ann@', FORM],
  ['http://redis', FORM],
  ['valkey://redis', FORM],
  ['redis+replica://redis', FORM],
  ['redis+tls+cluster://redis', FORM],
  ['redis://redis:', HOST],
  ['redis://redis:0', HOST],
  ['redis://redis:-1', HOST],
  ['redis://redis:1e3', HOST],
  ['redis://redis:65536', HOST],
  ['redis://redis:6379:6380', HOST],
  ['redis://::1', HOST],
  ['redis://[::1', HOST],
  ['redis://two words', HOST],
  ['redis+cluster://one,,three', HOST],
  ['redis://one,two', /takes one host/],
  ['redis://redis/zero', DATABASE],
  ['redis://redis/-1', DATABASE],
  ['redis://redis/0/1', DATABASE],
  ['redis+sentinel://one/events/0/1', DATABASE],
  ['redis+sentinel://one/events/zero', DATABASE],
  ['redis+cluster://one/0', DATABASE],
  ['redis+sentinel://one', /needs the name of the master/],
  ['redis+sentinel://one/', /needs the name of the master/],
  ['redis://redis?db=1', /unknown parameter db/],
  ['redis://redis?prefix=', /the prefix is/],
  ['redis://redis?prefix=a:b', /the prefix is/],
  ['redis://redis?prefix={a}', /the prefix is/],
  [`redis://redis?prefix=${'a'.repeat(65)}`, /the prefix is/],
  ['redis://ann:100%@redis', /must be percent-encoded/],
])('%s is refused with the reason', (url, reason) => {
  expect(() => parseBackend(url)).toThrow(reason)
})

/** Somebody's password, as people paste it; of parts that no message has otherwise. */
const PASSWORDS = [
  's3cret',
  's3cret@m0re',
  '@s3cret',
  's3cret/m0re',
  '123/s3cret',
  's3cret?m0re',
  '1/2?s3cret',
  's3cret:m0re',
  's3cret%',
  's3cret#@/?:%,[',
  '//s3cret@//:',
]
const FORMS = [
  (password: string) => `redis://ann:${password}@redis`,
  (password: string) => `redis://:${password}@redis:6379/0`,
  (password: string) => `redis://ann:${password}@one,two/x?y=z`,
  (password: string) => `redis+sentinel://ann:${password}@one/events/x`,
  (password: string) => `rediss+cluster://ann:${password}@one:port`,
  (password: string) => `rediss:://ann:${password}@redis`,
]
const URLS = PASSWORDS.flatMap((password) => FORMS.map((form) => form(password)))

test('no message holds a part of the password', () => {
  const messages = URLS.flatMap((url) => {
    try {
      parseBackend(url)
      return []
    } catch (error) {
      return (error as Error).message
    }
  })
  expect(messages.length).toBeGreaterThan(URLS.length / 2)
  expect(messages.filter((message) => /s3cret|m0re/.test(message))).toEqual([])
})

test('no part of a password passes for a host, a path or a prefix', () => {
  const places = URLS.flatMap((url) => {
    try {
      const backend = parseBackend(url)
      return backend.kind === 'redis' ? { ...backend.place, password: '' } : []
    } catch {
      return []
    }
  })
  expect(places.length).toBeGreaterThan(0)
  expect(places.filter((place) => /s3cret|m0re/.test(JSON.stringify(place)))).toEqual([])
})

test.each([
  ['embedded', 'embedded'],
  ['redis://redis:6379/0?prefix=a', 'redis://redis:6379/0?prefix=a'],
  ['redis+sentinel://one:1,two:2/events', 'redis+sentinel://one:1,two:2/events'],
  ['redis://ann@redis:6379', 'redis://ann@redis:6379'],
  ['redis://ann:secret@redis:6379/1', 'redis://ann:***@redis:6379/1'],
  ['rediss+cluster://:secret@one,two', 'rediss+cluster://:***@one,two'],
])('%s is shown as %s', (url, shown) => {
  expect(maskedBackend(url)).toBe(shown)
})

test('a password is masked however it is written', () => {
  const shown = URLS.map((url) => maskedBackend(url))
  expect(shown.filter((url) => /s3cret|m0re/.test(url))).toEqual([])
})
