import { expect, test } from 'vitest'
import { RawClient, rawRequest, refusalIn, target } from '../../test/fakes/raw-client.ts'
import { TestApi } from '../../test/fakes/test-api.ts'
import type { TestApiOptions } from '../../test/fakes/test-api.ts'

const PUT = JSON.stringify({ DeliveryStreamName: 'logs', Record: { Data: '' } })
const OURS: TestApiOptions = { allowedHosts: ['standpipe.lan'] }

async function put(options: TestApiOptions, headers: Record<string, string>) {
  await using api = await TestApi.start(options)
  using client = await RawClient.connect(api.url)
  client.write(rawRequest({ ...target('PutRecord'), ...headers }, PUT))
  return await client.answer()
}

test.each([
  '127.0.0.1:4573',
  '192.0.2.1',
  '[::1]:4573',
  'localhost:4573',
  'LOCALHOST',
  'firehose.localhost:4573',
  'standpipe.lan:4573',
  'Standpipe.LAN.',
])('without access keys, host %s is answered', async (Host) => {
  expect((await put(OURS, { Host })).status).toBe(200)
})

test.each([
  'evil.example:4573',
  'notlocalhost',
  'localhost.evil.example',
  'x.standpipe.lan',
  '1.2.3',
])('without access keys, host %s is refused, as a page may have bent it here', async (Host) => {
  expect(refusalIn(await put(OURS, { Host }))).toEqual({
    status: 403,
    type: 'ForbiddenException',
  })
})

test.each([
  ['an origin', { Origin: 'https://example.com' }],
  ['a fetch from another site', { 'Sec-Fetch-Site': 'cross-site' }],
])('without access keys, web pages are refused: %s', async (_, headers) => {
  expect(refusalIn(await put({}, headers))).toEqual({ status: 403, type: 'ForbiddenException' })
})

test('any host is answered where that is allowed', async () => {
  expect((await put({ allowedHosts: 'any' }, { Host: 'standpipe:4573' })).status).toBe(200)
})

test('with access keys it is the signature that counts, and nothing else', async () => {
  const accessKeys = [{ id: 'AKID', secret: 'secret' }]
  const answer = await put({ ...OURS, accessKeys }, { Host: 'evil.example' })
  expect(refusalIn(answer)).toEqual({ status: 400, type: 'MissingAuthenticationTokenException' })
})
