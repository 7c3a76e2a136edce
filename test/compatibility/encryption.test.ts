import { expect, test } from 'vitest'
import { startEncryption, stopEncryption } from '../../src/api/operations/encryption.ts'
import type { RawOperation } from '../../src/api/operation.ts'
import { operations } from '../../src/api/operations/index.ts'
import type { JsonObject } from '../../src/base/json.ts'
import type { SealReason } from '../../src/batch.ts'
import { NO_KEYS } from '../../src/embedded/local-key-ring.ts'
import { Intake } from '../../src/pipeline/intake.ts'
import { ApiUnderTest, NOW_MS, refusalOf } from './api-under-test.ts'
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

test('a put to a stream whose wrapping key is gone is refused as AWS refuses a lost key', async () => {
  await using api = await openWithStream(CUSTOMER_KEY)
  // As after a restart without the key.
  const intake = new Intake({ ...api.context, keyRing: NO_KEYS })
  for (const operation of ['PutRecord', 'PutRecordBatch'] as const) {
    const input =
      operation === 'PutRecord' ? { ...NAME, Record: { Data: 'YQ==' } } : batchInput('logs', 'a')
    const body = Buffer.from(JSON.stringify(input))
    const put = operations.get(operation) as RawOperation
    const refusal = refusalOf(put.prepare(body, { ...api.context, intake }).run())
    expect(await refusal).toEqual({
      __type: 'InvalidKMSResourceException',
      message: 'Cannot unwrap the data key: no wrapping key is configured',
      code: 'KMS.NotFoundException',
    })
  }
})

test.each([true, false])(
  'encryption is started and stopped 25 times in 24 hours, or more (strictAws: %s)',
  async (strictAws) => {
    await using api = await ApiUnderTest.open({ configuration: { strictAws } })
    await api.call('CreateDeliveryStream', createInput('logs'))
    let nowMs = NOW_MS
    const clock = { ...api.context.clock, nowMs: () => nowMs }
    const context = { ...api.context, clock }
    for (let count = 0; count < 24; count += 1) await stopEncryption(context, 'logs')
    nowMs += 1_000
    await startEncryption(context, 'logs', { keyType: 'AWS_OWNED_CMK' })
    const beyond = stopEncryption(context, 'logs')
    if (!strictAws) return await beyond
    expect(await refusalOf(beyond)).toMatchObject({ __type: 'LimitExceededException' })
    expect(await described(api)).toMatchObject({ Status: 'ENABLED' })
    // The first 24 are a day old now, the 25th isn't.
    nowMs = NOW_MS + 86_400_000
    await stopEncryption(context, 'logs')
    expect(api.context.registry.find('logs')!.encryption.changedAtMs).toHaveLength(2)
  },
)
