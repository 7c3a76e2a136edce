import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadSettings } from '../settings.ts'
import type { Settings } from '../settings.ts'
import { explainSettings } from './explain.ts'

const directory = mkdtempSync(join(tmpdir(), 'standpipe-connections-'))
const PEM = '-----BEGIN CERTIFICATE-----\naHVzaA==\n-----END CERTIFICATE-----'
const ARN = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:mongo'

function fileWith(content: string): string {
  const path = join(mkdtempSync(join(directory, 'file-')), 'value')
  writeFileSync(path, content)
  return path
}

function load(settings: unknown, environment: Record<string, string> = {}): Settings {
  const config = fileWith(JSON.stringify(settings))
  return loadSettings({ flags: { config }, environment, workingDirectory: directory }).settings
}

function withConnection(connection: object): object {
  return { connections: [{ url: 'https://search.lan:9200', ...connection }] }
}

test('a value is given in place, in a file or in a variable', () => {
  const connection = {
    username: 'writer',
    password: { env: 'SEARCH_PASSWORD' },
    tlsCa: { file: fileWith(`${PEM}\n`) },
    proxy: 'http://proxy.lan:3128',
  }
  const { connections } = load(withConnection(connection), { SEARCH_PASSWORD: 'hush' })
  expect(connections).toEqual([
    {
      url: 'https://search.lan:9200',
      username: 'writer',
      password: 'hush',
      tlsCa: PEM,
      proxy: 'http://proxy.lan:3128',
    },
  ])
})

test('connections and secrets may be variables that hold JSON', () => {
  const environment = {
    STANDPIPE_CONNECTIONS: JSON.stringify([
      { url: 'http://search:9200', sigv4: { region: 'eu-west-1', service: 'es' } },
    ]),
    STANDPIPE_SECRETS: JSON.stringify({ [ARN]: { env: 'MONGO' } }),
    MONGO: '{"username":"writer","password":"hush"}',
  }
  expect(load({}, environment)).toMatchObject({
    connections: [{ url: 'http://search:9200', sigv4: { region: 'eu-west-1', service: 'es' } }],
    secrets: { [ARN]: { value: { username: 'writer', password: 'hush' } } },
  })
})

test.each<[string, object, string | RegExp]>([
  ['text for a list', { connections: 'hush' }, /: must be a list$/],
  ['text for an entry', { connections: ['hush'] }, /: entry 1 must be an object$/],
  ['no url', { connections: [{ apiKey: 'hush' }] }, /its url must be text, \{file: path\}/],
  ['an unknown scheme', withConnection({ url: 'ftp://hush' }), /its url must be a URL with a host/],
  ['a user in the url', withConnection({ url: 'http://u:hush@h' }), /its url names a user/],
  ['a query', withConnection({ url: 'http://h/?key=hush' }), /must end with the path$/],
  [
    'an unknown member',
    withConnection({ pasword: 'hush' }),
    /entry 1: no such member pasword \(did you mean password\?\)$/,
  ],
  ['a number', withConnection({ password: 12 }), /its password must be text; put it in quotes$/],
  ['an empty value', withConnection({ apiKey: '' }), /its apiKey is empty$/],
  [
    'a misspelt place',
    withConnection({ apiKey: { fil: 'x' } }),
    /\{file: path\} or \{env: NAME\}$/,
  ],
  ['two places', withConnection({ apiKey: { file: 'x', env: 'X' } }), /\{env: NAME\}$/],
  [
    'a file that is not there',
    withConnection({ apiKey: { file: '/none' } }),
    /entry 1, https:\/\/search\.lan:9200: its apiKey: ENOENT.*\/none/,
  ],
  ['a variable that is not set', withConnection({ apiKey: { env: 'NO_KEY' } }), /NO_KEY, which is/],
  ['an API key of two lines', withConnection({ apiKey: 'hush\nhush' }), /without spaces$/],
  ['a certificate that is none', withConnection({ tlsCa: 'hush' }), /its tlsCa must be PEM/],
  ['a proxy without a scheme', withConnection({ proxy: 'proxy:1' }), /must be http:\/\/host:port$/],
  ['half a signature', withConnection({ sigv4: { region: 'r' } }), /\{region: …, service: …\}$/],
  [
    'password and API key',
    withConnection({ username: 'u', password: 'hush', apiKey: 'hush' }),
    /may have username and password or apiKey, not both$/,
  ],
  ['a password alone', withConnection({ password: 'hush' }), /a password and no username$/],
  ['a key alone', withConnection({ tlsKey: PEM }), /must be given together$/],
  [
    'a proxy for a database',
    withConnection({ url: 'mongodb://db', proxy: 'http://proxy:1' }),
    /proxy is for http: and https: only$/,
  ],
  [
    'the same twice',
    { connections: [{ url: 'https://h/a' }, { url: 'https://H:443/a/' }] },
    /entry 2: https:\/\/H:443\/a\/ is there twice$/,
  ],
  ['secrets in a list', { secrets: ['hush'] }, /must be an object by ARN$/],
  ['a name that is no ARN', { secrets: { mongo: { value: {} } } }, /mongo is no ARN of a secret/],
  ['a secret of text', { secrets: { [ARN]: 'hush' } }, /\{file: path\}, \{env: NAME\} or \{value/],
  [
    'a file that holds no JSON',
    { secrets: { [ARN]: { file: fileWith('hush') } } },
    /secret:mongo does not hold a JSON object$/,
  ],
  [
    'a secret that is too large',
    { secrets: { [ARN]: { file: fileWith(' '.repeat(70_000)) } } },
    /is larger than 65536 bytes$/,
  ],
])('%s is refused, and no value is told', (_, settings, message) => {
  expect(() => load(settings)).toThrow(message)
  expect(() => load(settings)).toThrow(/^Cannot use (connections|secrets) in (?!.*hush)/s)
})

test('explained settings show where connections go, and nothing that is secret', () => {
  const settings = {
    connections: [
      { url: 'http://search:9200', apiKey: 'hush' },
      { url: 'http://signed:9200', sigv4: { region: 'eu-west-1', service: 'es' } },
    ],
    secrets: { [ARN]: { value: { password: 'hush' } } },
  }
  const loaded = loadSettings({
    flags: { config: fileWith(JSON.stringify(settings)) },
    environment: {},
    workingDirectory: directory,
  })
  const values = new Map(explainSettings(loaded).map(({ name, value }) => [name, value]))
  expect(values.get('connections')).toEqual([
    { url: 'http://search:9200', apiKey: '***' },
    { url: 'http://signed:9200', sigv4: { region: 'eu-west-1', service: 'es' } },
  ])
  expect(values.get('secrets')).toEqual({ [ARN]: { value: '***' } })
})
