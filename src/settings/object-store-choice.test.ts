import { expect, test } from 'vitest'
import { chooseObjectStore } from './object-store-choice.ts'

test.each(['AWS_ACCESS_KEY_ID', 'AWS_PROFILE', 'AWS_WEB_IDENTITY_TOKEN_FILE'])(
  'credentials announced by %s mean AWS',
  (variable) => {
    expect(chooseObjectStore({ dataDir: 'd' }, { [variable]: 'x' })).toEqual({
      kind: 's3',
      place: 'AWS S3',
      reason: `AWS credentials are announced by ${variable}`,
    })
  },
)

test('an endpoint means S3, whatever the environment holds', () => {
  const settings = { dataDir: 'd', s3Endpoint: 'http://127.0.0.1:9000' }
  expect(chooseObjectStore(settings, { AWS_PROFILE: 'x' })).toMatchObject({
    kind: 's3',
    place: 'http://127.0.0.1:9000',
  })
})

test('without endpoint and credentials buckets are folders of the data directory', () => {
  const { kind, place } = chooseObjectStore({ dataDir: '/srv/d' }, { AWS_REGION: 'eu-west-1' })
  expect({ kind, place }).toEqual({ kind: 'folder', place: '/srv/d/buckets' })
})
