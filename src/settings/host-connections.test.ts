import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { HostConnections } from './host-connections.ts'

const KINESIS = 'arn:aws:kinesis:us-east-1:000000000000:stream/clicks'
const KAFKA = 'arn:aws:kafka:us-east-1:000000000000:cluster/events'
const ARN = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:mongo'

function usernameFor(url: string, prefixes: readonly string[]): string | undefined {
  const connections = prefixes.map((prefix) => ({ url: prefix, username: prefix }))
  return new HostConnections({ connections, secrets: {} }).find(url)?.username
}

test.each([
  ['https://search:9200/', ['https://search:9200'], 'https://search:9200'],
  ['https://SEARCH/a', ['https://search:443'], 'https://search:443'],
  ['http://h/a/b/c', ['http://h', 'http://h/a', 'http://h/a/b', 'http://h/x'], 'http://h/a/b'],
  ['http://h/a?key=b', ['http://h/a/'], 'http://h/a/'],
  ['http://h/ab', ['http://h/a'], undefined],
  ['http://h/a/../b', ['http://h/a'], undefined],
  ['http://h:81', ['http://h'], undefined],
  ['https://h', ['http://h'], undefined],
  ['http://h.evil', ['http://h'], undefined],
  ['http://[::1]:9200/x', ['http://[::1]:9200'], 'http://[::1]:9200'],
  ['jdbc:redshift://db/events', ['jdbc:redshift://db:5439'], 'jdbc:redshift://db:5439'],
  ['jdbc:postgresql://db:5432/a', ['jdbc:redshift://db:5432'], undefined],
  ['mongodb://b:27017,a/?tls=true', ['mongodb://a,b'], 'mongodb://a,b'],
  ['mongodb://a,c', ['mongodb://a,b'], undefined],
  [
    'mongodb+srv://cluster.example/db',
    ['mongodb+srv://cluster.example'],
    'mongodb+srv://cluster.example',
  ],
  ['redis://queue/3', ['redis://queue:6379'], 'redis://queue:6379'],
  ['rediss://queue', ['redis://queue'], undefined],
  [`${KAFKA}/7-1`, [KAFKA], KAFKA],
  [`${KAFKA}/7-1`, [KAFKA, `${KAFKA}/7-1`], `${KAFKA}/7-1`],
  [`${KAFKA}-2/7-1`, [KAFKA], undefined],
  [KAFKA.replace('east', 'west'), [KAFKA], undefined],
  [KINESIS, [KAFKA, KINESIS.replace('/clicks', '')], KINESIS.replace('/clicks', '')],
  [KINESIS, [KINESIS.replace('aws', 'aws-cn')], undefined],
  ['arn:clicks', [KINESIS], undefined],
  ['not a URL', ['http://h'], undefined],
])('%s with %j is reached by %s', (url, prefixes, expected) => {
  expect(usernameFor(url, prefixes)).toBe(expected)
})

test('a secret in a file is read anew each time, so that it can be rotated', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'standpipe-secret-')), 'secret.json')
  const connections = new HostConnections({ connections: [], secrets: { [ARN]: { file } } })
  writeFileSync(file, '{"password":"first"}')
  expect(await connections.secret(ARN)).toEqual({ password: 'first' })
  writeFileSync(file, '{"password":"second"}')
  expect(await connections.secret(ARN)).toEqual({ password: 'second' })
  writeFileSync(file, '{"password":"half wri')
  await expect(connections.secret(ARN)).rejects.toThrow(
    `Cannot read secret ${ARN}: ${file}: does not hold a JSON object`,
  )
  rmSync(file)
  await expect(connections.secret(ARN)).rejects.toThrow(/^Cannot read secret .*ENOENT/)
})

test('a secret that no setting names is an error', async () => {
  const connections = new HostConnections({ connections: [], secrets: {} })
  await expect(connections.secret(ARN)).rejects.toThrow(
    `Cannot read secret ${ARN}: no setting names it`,
  )
})
