import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadSettings } from '../settings.ts'
import type { Settings } from '../settings.ts'
import { explainSettings } from './explain.ts'

const directory = mkdtempSync(join(tmpdir(), 'standpipe-connections-'))
const PEM = '-----BEGIN CERTIFICATE-----\naHVzaA==\n-----END CERTIFICATE-----'
const KINESIS = 'arn:aws:kinesis:us-east-1:000000000000:stream/clicks'
const KAFKA = 'arn:aws:kafka:us-east-1:000000000000:cluster/events'
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

function withBrokers(connection: object): object {
  return { connections: [{ url: KAFKA, brokers: 'kafka:9092', ...connection }] }
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

test('an ARN is given the place where it is, a Redis may have a password alone', () => {
  const connections = [
    { url: KINESIS, endpoint: 'http://kinesis:4567', accessKeyId: 'k', secretAccessKey: 's' },
    {
      url: KAFKA,
      brokers: 'one:9092,[::1]:9093',
      tls: true,
      sasl: 'SCRAM-SHA-512',
      username: 'reader',
      password: 'hush',
      tlsCa: PEM,
    },
    { url: 'rediss://queue:6379/3', password: 'hush', tlsCa: PEM },
  ]
  expect(load({ connections }).connections).toEqual(connections)
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
    /takes no proxy, only username, password, tlsCa, tlsCertificate, tlsKey$/,
  ],
  ['the ARN of a secret', { connections: [{ url: ARN }] }, /ARN of a Kinesis stream or of an MSK/],
  [
    'the ARN of another resource',
    { connections: [{ url: KAFKA.replace('cluster', 'topic') }] },
    /ARN of a Kinesis stream or of an MSK cluster$/,
  ],
  [
    'a login for Kinesis',
    { connections: [{ url: KINESIS, username: 'hush' }] },
    /takes no username, only endpoint, accessKeyId, secretAccessKey$/,
  ],
  [
    'half a key of AWS',
    { connections: [{ url: KINESIS, accessKeyId: 'hush' }] },
    /accessKeyId and secretAccessKey must be given together$/,
  ],
  [
    'an endpoint with a user',
    { connections: [{ url: KINESIS, endpoint: 'http://hush@kinesis' }] },
    /must be http:\/\/host:port or https:\/\/host:port$/,
  ],
  ['a cluster without brokers', { connections: [{ url: KAFKA }] }, /names no brokers$/],
  ['a broker without a port', withBrokers({ brokers: 'a:9092,b' }), /must be host:port,host:port$/],
  ['brokers with spaces', withBrokers({ brokers: 'a:1, b:2' }), /must be host:port,host:port$/],
  ['text for tls', withBrokers({ tls: 'yes' }), /its tls must be true or false$/],
  ['an unknown mechanism', withBrokers({ sasl: 'GSSAPI' }), /one of PLAIN, SCRAM-SHA-256, SCRAM/],
  ['a mechanism alone', withBrokers({ sasl: 'PLAIN' }), /sasl, username and password must be/],
  [
    'a login without a mechanism',
    withBrokers({ username: 'u', password: 'hush' }),
    /sasl, username and password must be given together$/,
  ],
  ['a certificate without TLS', withBrokers({ tlsCa: PEM }), /tlsCa needs tls: true$/],
  [
    'a certificate for a Redis without TLS',
    { connections: [{ url: 'redis://queue', tlsCa: PEM }] },
    /takes no tlsCa, only username, password$/,
  ],
  [
    'a Redis twice',
    { connections: [{ url: 'redis://queue' }, { url: 'redis://queue:6379/' }] },
    /entry 2: redis:\/\/queue:6379\/ is there twice$/,
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
      { url: KINESIS, endpoint: 'http://kinesis', accessKeyId: 'hush', secretAccessKey: 'hush' },
      { url: KAFKA, brokers: 'a:1', tls: false, sasl: 'PLAIN', username: 'u', password: 'hush' },
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
    { url: KINESIS, endpoint: 'http://kinesis', accessKeyId: '***', secretAccessKey: '***' },
    { url: KAFKA, brokers: 'a:1', tls: false, sasl: 'PLAIN', username: '***', password: '***' },
  ])
  expect(values.get('secrets')).toEqual({ [ARN]: { value: '***' } })
})
