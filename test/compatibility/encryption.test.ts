import { expect, test } from 'vitest'
import { startEncryption } from '../../src/api/operations/encryption.ts'
import type { JsonObject } from '../../src/base/json.ts'
import type { SealReason } from '../../src/batch.ts'
import type { Intake } from '../../src/pipeline/intake.ts'
import { ApiUnderTest } from './api-under-test.ts'
import { batchInput, createInput } from './requests.ts'

const NAME = { DeliveryStreamName: 'logs' }
const KEY_ARN = 'arn:aws:kms:us-east-1:123456789012:key/abc'
const CUSTOMER_KEY = {
  DeliveryStreamEncryptionConfigurationInput: {
    KeyType: 'CUSTOMER_MANAGED_CMK',
    KeyARN: KEY_ARN,
  },
}

async function openWithStream(more: JsonObject = {}, encryptionKey = true): Promise<ApiUnderTest> {
  const api = await ApiUnderTest.open({ encryptionKey })
  await api.call('CreateDeliveryStream', createInput('logs', more))
  return api
}

async function described(api: ApiUnderTest): Promise<unknown> {
  const answer = await api.call('DescribeDeliveryStream', NAME)
  return (answer['DeliveryStreamDescription'] as JsonObject)[
    'DeliveryStreamEncryptionConfiguration'
  ]
}

function wrappedKey(api: ApiUnderTest): string | undefined {
  return api.context.registry.find('logs')!.encryption.wrappedDataKey
}

async function put(api: ApiUnderTest): Promise<unknown> {
  return (await api.call('PutRecordBatch', batchInput('logs', 'secret')))['Encrypted']
}

test('start encrypts from here on, under a key of the stream', async () => {
  await using api = await openWithStream()
  expect(await put(api)).toBe(false)
  expect(await api.call('StartDeliveryStreamEncryption', NAME)).toEqual({})
  expect(api.sealed).toMatchObject([{ recordCount: 1, sealReason: 'update' }])
  expect(await described(api)).toEqual({ KeyType: 'AWS_OWNED_CMK', Status: 'ENABLED' })
  expect(await put(api)).toBe(true)
})

test('start on an encrypted stream changes its key', async () => {
  await using api = await openWithStream()
  await api.call('StartDeliveryStreamEncryption', NAME)
  const before = wrappedKey(api)
  await put(api)
  await api.call('StartDeliveryStreamEncryption', { ...NAME, ...CUSTOMER_KEY })
  expect(await described(api)).toEqual({
    KeyARN: KEY_ARN,
    KeyType: 'CUSTOMER_MANAGED_CMK',
    Status: 'ENABLED',
  })
  expect(wrappedKey(api)).not.toBe(before)
  expect(api.sealed).toHaveLength(1)
})

test('stop seals what is encrypted and keeps no key', async () => {
  await using api = await openWithStream(CUSTOMER_KEY)
  expect(await put(api)).toBe(true)
  expect(await api.call('StopDeliveryStreamEncryption', NAME)).toEqual({})
  expect(await described(api)).toEqual({ Status: 'DISABLED' })
  expect(wrappedKey(api)).toBeUndefined()
  expect(api.sealed).toHaveLength(1)
  expect(await put(api)).toBe(false)
  expect(await api.call('StopDeliveryStreamEncryption', NAME)).toEqual({})
})

test('records are called encrypted from the moment on where they are', async () => {
  await using api = await openWithStream()
  await put(api)
  const during: unknown[] = []
  const intake = {
    async seal(streamId: string, reason: SealReason) {
      during.push(await put(api))
      await api.context.intake.seal(streamId, reason)
    },
  }
  const context = { ...api.context, intake: intake as Intake }
  await startEncryption(context, 'logs', { keyType: 'AWS_OWNED_CMK' })
  expect(during).toEqual([true])
  // One batch as it was before, one encrypted.
  expect(api.sealed).toMatchObject([{ recordCount: 1 }, { recordCount: 1 }])
})

test.for([
  [{ KeyType: 'CUSTOMER_MANAGED_CMK' }, 'KeyARN is required when KeyType is CUSTOMER_MANAGED_CMK'],
  [
    { KeyType: 'AWS_OWNED_CMK', KeyARN: KEY_ARN },
    'KeyARN must not be given when KeyType is AWS_OWNED_CMK',
  ],
] as const)('%j is refused', async ([configuration, message]) => {
  await using api = await openWithStream()
  const input = { ...NAME, DeliveryStreamEncryptionConfigurationInput: configuration }
  const refusal = { __type: 'InvalidArgumentException', message }
  expect(await api.refusal('StartDeliveryStreamEncryption', input)).toEqual(refusal)
  expect(await api.refusal('CreateDeliveryStream', createInput('other', input))).toEqual(refusal)
})

test('without a wrapping key encryption is refused with what to set', async () => {
  await using api = await openWithStream({}, false)
  const refusal = {
    __type: 'InvalidKMSResourceException',
    message:
      'Cannot encrypt: no wrapping key is configured. ' +
      'Set STANDPIPE_SSE_KEY_FILE or STANDPIPE_SSE_KEY',
    code: 'KMS.NotFoundException',
  }
  expect(await api.refusal('StartDeliveryStreamEncryption', NAME)).toEqual(refusal)
  const input = createInput('other', CUSTOMER_KEY)
  expect(await api.refusal('CreateDeliveryStream', { ...input })).toEqual(refusal)
})
