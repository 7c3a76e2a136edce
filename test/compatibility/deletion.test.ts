import { expect, test } from 'vitest'
import { finishDeletions } from '../../src/api/operations/delete-delivery-stream.ts'
import { LocalDeliveryHost } from '../../src/pipeline/delivery-host.ts'
import { ApiUnderTest } from './api-under-test.ts'
import { batchInput, createInput, updateInput } from './requests.ts'

const NAME = { DeliveryStreamName: 'logs' }

async function openWithBacklog(): Promise<ApiUnderTest> {
  const api = await ApiUnderTest.open()
  await api.call('CreateDeliveryStream', createInput('logs'))
  await api.call('PutRecordBatch', batchInput('logs', 'a', 'b'))
  await api.context.intake.seal(api.context.registry.find('logs')!.streamId, 'flush')
  await api.call('PutRecordBatch', batchInput('logs', 'c'))
  return api
}

async function storedBatchCount({ context }: ApiUnderTest): Promise<number> {
  let count = 0
  for await (const _ of context.store.list()) count += 1
  return count
}

async function leftOf(api: ApiUnderTest, streamId: string): Promise<unknown> {
  const { store, ledger, catalog } = api.context
  const { books, queue } = await ledger.status(streamId)
  return {
    accepted: books.accepted,
    queued: queue.recordCount,
    open: await store.openBatches(streamId),
    storedBatches: await storedBatchCount(api),
    streams: await catalog.streams(),
  }
}

const NOTHING = { accepted: 0, queued: 0, open: [], storedBatches: 0, streams: [] }

test('a delete drops what is buffered, and says how much that was', async () => {
  await using api = await openWithBacklog()
  const { streamId } = api.context.registry.find('logs')!
  expect(await api.call('DeleteDeliveryStream', NAME)).toEqual({})
  expect(await leftOf(api, streamId)).toEqual(NOTHING)
  expect(api.warnings).toEqual([{ streamName: 'logs', droppedCount: 3 }])
})

test('of a stream whose records were split and all delivered, nothing is dropped', async () => {
  await using api = await ApiUnderTest.open()
  await api.call('CreateDeliveryStream', createInput('logs'))
  await api.call('PutRecordBatch', batchInput('logs', 'a', 'b'))
  const { streamId } = api.context.registry.find('logs')!
  await api.context.intake.seal(streamId, 'flush')
  const host = new LocalDeliveryHost(api.context)
  const { claim } = (await host.claim(AbortSignal.timeout(5_000)))!
  const output = { kind: 'object', target: 'a', attempts: 1, sizeBytes: 5 }
  const receipt = {
    ...claim.batch,
    streamName: 'logs',
    deliveredAtMs: 1,
    attempts: 1,
    outputs: [{ ...output, accounting: 'delivered' as const, recordCount: 5 }],
    droppedCount: 0,
    madeCount: 3,
    quarantinedCount: 0,
  }
  await host.commit(claim, receipt, false)
  const { body } = await api.route('GET', '/streams/{name}', { name: 'logs' })
  expect(body).toMatchObject({ Books: { Accepted: 2, Made: 3, Delivered: 5, Pending: 0 } })
  await api.call('DeleteDeliveryStream', NAME)
  expect(api.warnings).toEqual([])
})

test('a stream of the same name can be made again, and is another', async () => {
  await using api = await openWithBacklog()
  const { streamId } = api.context.registry.find('logs')!
  await api.call('DeleteDeliveryStream', { ...NAME, AllowForceDelete: true })
  await api.call('CreateDeliveryStream', createInput('logs'))
  const again = api.context.registry.find('logs')!
  expect(again.streamId).not.toBe(streamId)
  expect(again.versionId).toBe(1)
})

test('a deletion that a crash interrupted is finished', async () => {
  await using api = await openWithBacklog()
  const { registry } = api.context
  const { streamId } = registry.find('logs')!
  await registry.change(streamId, (stream) => ({ ...stream, status: 'DELETING' }))
  await api.context.intake.discard(streamId)
  await finishDeletions(api.context)
  expect(await leftOf(api, streamId)).toEqual(NOTHING)
  expect(api.warnings).toEqual([{ streamName: 'logs', droppedCount: 2 }])
})

test('a second delete at the same time succeeds or finds nothing', async () => {
  await using api = await openWithBacklog()
  const { streamId } = api.context.registry.find('logs')!
  const outcomes = await Promise.allSettled([
    api.call('DeleteDeliveryStream', NAME),
    api.call('DeleteDeliveryStream', NAME),
  ])
  const errors = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [(outcome.reason as { type: string }).type] : [],
  )
  expect(['', 'ResourceNotFoundException']).toContain(errors.join())
  expect(await leftOf(api, streamId)).toEqual(NOTHING)
})

test('puts and updates that race a delete leave nothing behind', async () => {
  await using api = await openWithBacklog()
  const { streamId } = api.context.registry.find('logs')!
  await Promise.allSettled([
    ...Array.from({ length: 5 }, () => api.call('PutRecordBatch', batchInput('logs', 'x'))),
    api.call('UpdateDestination', updateInput('logs', '1', { Prefix: 'new/' })),
    api.call('DeleteDeliveryStream', NAME),
    ...Array.from({ length: 5 }, () => api.call('PutRecordBatch', batchInput('logs', 'x'))),
    api.call('TagDeliveryStream', { ...NAME, Tags: [{ Key: 'a' }] }),
  ])
  expect(await leftOf(api, streamId)).toEqual(NOTHING)
})

test('a delivery that ends while its stream is deleted leaves no receipt behind', async () => {
  await using api = await openWithBacklog()
  const { context } = api
  const { streamId } = context.registry.find('logs')!
  const host = new LocalDeliveryHost(context)
  const { claim } = (await host.claim(AbortSignal.timeout(5_000)))!
  const { batch } = claim
  const receipt = {
    ...batch,
    streamName: 'logs',
    deliveredAtMs: 1,
    attempts: 1,
    outputs: [],
    droppedCount: 0,
    quarantinedCount: 0,
  }
  const deleting = api.call('DeleteDeliveryStream', NAME)
  // While it goes on, and after it.
  await Promise.all([deleting, host.commit(claim, receipt, false)])
  await host.commit(claim, receipt, false)
  expect(await context.catalog.receipt(batch.batchId)).toBeUndefined()
  expect(await leftOf(api, streamId)).toEqual(NOTHING)
})
