import { expect, test } from 'vitest'
import { declareStream } from '../../src/api/operations/declare-stream.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { ApiUnderTest, refusalOf } from './api-under-test.ts'
import { batchInput, createInput, S3 } from './requests.ts'

const ENCRYPTED = { DeliveryStreamEncryptionConfigurationInput: { KeyType: 'AWS_OWNED_CMK' } }

function withPrefix(Prefix: string): JsonObject {
  return createInput('logs', { ExtendedS3DestinationConfiguration: { ...S3, Prefix } })
}

test('a declaration creates the stream, and the next time changes nothing', async () => {
  await using api = await ApiUnderTest.open()
  const declaration = createInput('logs', { ...ENCRYPTED, Tags: [{ Key: 'team', Value: 'red' }] })
  expect(await declareStream(api.context, declaration)).toBe('created')
  const created = api.context.registry.find('logs')
  expect(created).toMatchObject({
    versionId: 1,
    tags: [{ Key: 'team', Value: 'red' }],
    encryption: { status: 'ENABLED' },
  })
  expect(await declareStream(api.context, declaration)).toBe('unchanged')
  expect(api.context.registry.find('logs')).toBe(created)
  expect(await api.context.catalog.streams()).toEqual([created])
})

test('a changed destination is the new version, whole, and what is buffered is sealed', async () => {
  await using api = await ApiUnderTest.open()
  await declareStream(api.context, withPrefix('old/'))
  await api.call('PutRecordBatch', batchInput('logs', 'a'))
  expect(await declareStream(api.context, createInput('logs'))).toBe('updated')
  expect(api.context.registry.find('logs')).toMatchObject({ versionId: 2 })
  expect(api.context.registry.find('logs')!.destination).not.toMatchObject({ Prefix: 'old/' })
  expect(api.sealed).toMatchObject([{ sealReason: 'update' }])
})

test('tags and encryption become what is declared, and stay when nothing is', async () => {
  await using api = await ApiUnderTest.open()
  await declareStream(api.context, createInput('logs', { Tags: [{ Key: 'old' }] }))
  const declaration = createInput('logs', { ...ENCRYPTED, Tags: [{ Key: 'new' }] })
  expect(await declareStream(api.context, declaration)).toBe('updated')
  const declared = { versionId: 1, tags: [{ Key: 'new' }], encryption: { status: 'ENABLED' } }
  expect(api.context.registry.find('logs')).toMatchObject(declared)
  expect(await declareStream(api.context, createInput('logs', { Tags: null }))).toBe('unchanged')
  expect(api.context.registry.find('logs')).toMatchObject(declared)
  expect(await declareStream(api.context, createInput('logs', { Tags: [] }))).toBe('updated')
  expect(api.context.registry.find('logs')).toMatchObject({ ...declared, tags: [] })
})

test.for([
  [{ Description: 'x' }, 'Description'],
  [
    { ExtendedS3DestinationConfiguration: { ...S3, BufferingHints: { SizeInMb: 1 } } },
    'ExtendedS3DestinationConfiguration.BufferingHints.SizeInMb',
  ],
  [{ Tags: [{ Key: 'a' }, { Key: 'b', Colour: 'red' }] }, 'Tags.1.Colour'],
] as const)('an unknown property is refused by name: %j', async ([more, path]) => {
  await using api = await ApiUnderTest.open()
  expect(await refusalOf(declareStream(api.context, createInput('logs', more)))).toEqual({
    __type: 'InvalidArgumentException',
    message: `Unknown property ${path}`,
  })
})

test('a declaration is checked like a request', async () => {
  await using api = await ApiUnderTest.open()
  const { DeliveryStreamName: _, ...nameless } = createInput('logs')
  expect(await refusalOf(declareStream(api.context, nameless))).toMatchObject({
    __type: 'ValidationException',
  })
})

test('the throughput hint becomes what is declared, and stays when nothing is', async () => {
  await using api = await ApiUnderTest.open()
  const declare = (more: JsonObject) => declareStream(api.context, createInput('logs', more))
  const hint = { DirectPutSourceConfiguration: { ThroughputHintInMBs: 5 } }
  expect([await declare({}), await declare(hint), await declare(hint), await declare({})]).toEqual([
    'created',
    'updated',
    'unchanged',
    'unchanged',
  ])
  expect(api.context.registry.find('logs')).toMatchObject({ throughputHintInMBs: 5, versionId: 1 })
})
