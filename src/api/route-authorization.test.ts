/** What a route of our own may ask of the server besides its own action, and what is told of it. */
import { expect, test } from 'vitest'
import { RawClient, rawRequest } from '../../test/fakes/raw-client.ts'
import { TestApi } from '../../test/fakes/test-api.ts'
import type { Route } from './operation.ts'
import { sign } from './sigv4.ts'

const arnOf = (name: string): string =>
  `arn:aws:firehose:us-east-1:000000000000:deliverystream/${name}`
const KEY = {
  id: 'KEY',
  secret: 'secret',
  statements: [
    {
      Effect: 'Allow',
      Action: 'standpipe:Copy',
      Resource: [arnOf('logs'), arnOf('copies')],
    },
  ],
}

const copy: Route = {
  method: 'POST',
  path: '/streams/{name}/copy',
  action: 'Copy',
  bodyBytesMax: 1_000,
  audited: true,
  async handle({ body, authorize }) {
    const { ToStream } = JSON.parse(body.toString()) as { ToStream: string }
    authorize('Copy', ToStream)
    return { statusCode: 200, body: {} }
  },
}

test('a route that acts upon a second stream needs leave for it, and its body is audited', async () => {
  await using api = await TestApi.start({ accessKeys: [KEY], routes: [copy] })
  using client = await RawClient.connect(api.url)
  const post = async (ToStream: string): Promise<number> => {
    const body = JSON.stringify({ ToStream })
    const path = '/streams/logs/copy'
    const unsigned = { method: 'POST', path, query: '', headers: { host: 'standpipe' } }
    const credentials = { accessKeyId: KEY.id, secretAccessKey: KEY.secret, region: 'eu-west-1' }
    const signed = sign(unsigned, Buffer.from(body), credentials, Date.now())
    client.write(rawRequest(signed as Record<string, string>, body, `POST ${path} HTTP/1.1`))
    return (await client.answer()).status
  }
  expect([await post('copies'), await post('others')]).toEqual([200, 400])
  const calls = api.audit.map(({ eventName, errorCode, requestParameters }) => [
    eventName,
    errorCode,
    requestParameters,
  ])
  expect(calls).toEqual([
    ['Copy', undefined, { name: 'logs', toStream: 'copies' }],
    ['Copy', 'AccessDeniedException', { name: 'logs', toStream: 'others' }],
  ])
})
