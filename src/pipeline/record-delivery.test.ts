/** Delivery record by record: retries of what is pending, refusals, and the error output. */
import { expect, test } from 'vitest'
import { BatchUnderDelivery, STREAM } from '../../test/fakes/batch-under-delivery.ts'
import type { RecordFailure } from '../destination.ts'
import { DeliveryError } from '../destination.ts'
import { RecordSet } from '../record-set.ts'

const busy = (ordinal: number): RecordFailure => ({
  ordinal,
  errorCode: '429',
  errorMessage: 'Cannot index: busy',
  retryable: true,
  effect: 'none',
})
const unclear = (ordinal: number): RecordFailure => ({
  ...busy(ordinal),
  errorCode: '500',
  effect: 'unknown',
})
const poison = (ordinal: number): RecordFailure => ({
  ...busy(ordinal),
  errorCode: '400',
  errorMessage: 'Cannot index: mapping',
  retryable: false,
})
const arrived = (): [] => []
const unavailable = (retryAfterMs?: number) => (): never => {
  const options = { retryable: true, effect: 'none' } as const
  const asked = retryAfterMs === undefined ? {} : { retryAfterMs }
  throw new DeliveryError('503', 'Cannot send: unavailable', { ...options, ...asked })
}
const tooLarge = (): never => {
  throw new DeliveryError('413', 'Cannot send: too large', { retryable: false, effect: 'none' })
}
const unauthorized = (): never => {
  const options = { retryable: true, effect: 'none', brake: true } as const
  throw new DeliveryError('401', 'Cannot send: unauthorized', options)
}
const noAnswer = (): never => {
  throw new DeliveryError('Timeout', 'Cannot send: no answer', {
    retryable: true,
    effect: 'unknown',
  })
}

const codesOf = (refusals: readonly { readonly ordinal: number; readonly errorCode: string }[]) =>
  refusals.map(({ ordinal, errorCode }) => [ordinal, errorCode])

test('a retry offers only what is pending', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 5, retryDurationMs: 60_000 })
  expect(await batch.claim([() => [busy(1), busy(3)]])).toMatchObject({
    retry: { errorCode: '429' },
  })
  const { receipt } = await batch.claim([arrived])
  expect(batch.attempts.map(({ ordinals }) => ordinals)).toEqual([
    [0, 1, 2, 3, 4],
    [1, 3],
  ])
  expect(receipt?.outputs).toMatchObject([{ accounting: 'delivered', recordCount: 5, attempts: 2 }])
})

test('the retry duration counts from the first attempt, across restarts', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 3, retryDurationMs: 60_000 })
  await batch.claim([() => [busy(1), busy(2)]])
  batch.nowMs += 59_999
  expect(await batch.claim([() => [busy(2)]])).toMatchObject({ retry: { afterMs: 1 } })
  expect(batch.errorPuts).toEqual([])
  batch.nowMs += 1
  const { receipt } = await batch.claim([() => [busy(2)]])
  const [refusal] = batch.errorPuts[0] ?? []
  expect(refusal).toEqual({
    ordinal: 2,
    errorCode: '429',
    errorMessage: 'Cannot index: busy',
    attempts: 3,
    atMs: batch.nowMs,
  })
  const refused = RecordSet.empty(3)
  refused.add(2)
  expect(receipt?.outputs).toMatchObject([
    { accounting: 'delivered', recordCount: 2, refused: refused.toString() },
    { accounting: 'errored', recordCount: 1, target: 'errors' },
  ])
})

test('without a retry duration the first failure is the last, each with its own cause', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 3, retryDurationMs: 0 })
  await batch.claim([() => [poison(0), busy(2)]])
  expect(batch.errorPuts.map(codesOf)).toEqual([
    [
      [0, '400'],
      [2, '429'],
    ],
  ])
})

test('a record of unknown fate is tried beyond the retry duration', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 3, retryDurationMs: 1_000 })
  await batch.claim([() => [busy(0), unclear(1)]])
  batch.nowMs += 5_000
  expect(await batch.claim([() => [busy(0), busy(1)]])).toMatchObject({ retry: {} })
  expect(batch.attempts.at(-1)?.ordinals).toEqual([0, 1])
  expect(await batch.claim([unavailable()])).toMatchObject({ retry: { errorCode: '503' } })
  expect(batch.errorPuts).toEqual([])
  await batch.claim([arrived])
  expect(batch.attempts.at(-1)?.ordinals).toEqual([1])
  expect(batch.errorPuts.map(codesOf)).toEqual([[[0, '429']]])
})

test('what the destination says of a record settles what an earlier attempt left unknown', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 1, retryDurationMs: 0 })
  await batch.claim([noAnswer])
  const { receipt } = await batch.claim([() => [poison(0)]])
  expect(receipt?.outputs).toMatchObject([{ recordCount: 0 }, { recordCount: 1 }])
})

test('a request refused as a whole says nothing of what an earlier one did', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 2, retryDurationMs: 60_000 })
  await batch.claim([() => [unclear(0), busy(1)]])
  expect(await batch.claim([tooLarge])).toMatchObject({ retry: { errorCode: '413' } })
  await batch.claim([arrived])
  expect(batch.attempts.at(-1)?.ordinals).toEqual([0])
  expect(batch.errorPuts.map(codesOf)).toEqual([[[1, '413']]])
})

test('while an attempt is under way, the manifest says that the fate of the pending is unknown', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 3, retryDurationMs: 60_000 })
  await batch.claim([() => [busy(0), busy(2)]])
  expect(batch.known(0)).toEqual({ pending: [0, 2], unknown: [] })
  const meanwhile: unknown[] = []
  await batch.claim([
    () => {
      meanwhile.push(batch.known(0))
      return [busy(2)]
    },
  ])
  expect(meanwhile).toEqual([{ pending: [0, 2], unknown: [0, 2] }])
  expect(batch.known(0)).toEqual({ pending: [2], unknown: [] })
})

test('an attempt that died with its process is of unknown fate', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 2, retryDurationMs: 0 })
  await batch.claim([() => [busy(0), busy(1)]], {}, () => unavailable()())
  // As it was on disk when the first attempt began.
  batch.manifest = batch.frozen[0]
  expect(await batch.claim([() => [busy(0), busy(1)]])).toMatchObject({ retry: {} })
  await batch.claim([() => [poison(1)]])
  expect(batch.errorPuts.slice(1).map(codesOf)).toEqual([[[1, '400']]])
})

test('a destination that asks for time is given it, within the retry duration', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 1, retryDurationMs: 60_000 })
  expect(await batch.claim([unavailable(20_000)])).toMatchObject({
    retry: { afterMs: 20_000, streamAfterMs: 20_000 },
  })
  expect(await batch.claim([unavailable(90_000)])).toMatchObject({ retry: { afterMs: 60_000 } })
})

test('a destination that fails all of the last outputs is not asked for the rest', async () => {
  const outputs = Array.from({ length: 9 }, (_, ordinal) => ({
    range: { from: ordinal, to: ordinal + 1 },
  }))
  const options = { recordCount: 9, retryDurationMs: 60_000, outputs }
  const batch = new BatchUnderDelivery(options)
  const down = Array.from({ length: 4 }, () => unavailable())
  expect(await batch.claim(down)).toMatchObject({ retry: { errorCode: '503' } })
  expect(batch.attempts).toHaveLength(4)
  // One that arrives in between begins the count anew.
  const mixed = [...down.slice(1), arrived, ...down]
  expect(await batch.claim(mixed)).toMatchObject({ retry: { errorCode: '503' } })
  expect(batch.attempts).toHaveLength(12)
  // In the end each has had its attempt.
  batch.nowMs += 60_000
  await batch.claim(Array.from({ length: 8 }, () => unavailable()))
  expect(batch.errorPuts.map(codesOf)).toEqual([
    [0, 1, 2, 4, 5, 6, 7, 8].map((ordinal) => [ordinal, '503']),
  ])
})

test('an output that needs earlier ones waits until they have arrived', async () => {
  const outputs = [{ accounting: 'copy' }, { needsEarlier: true }] as const
  const batch = new BatchUnderDelivery({ recordCount: 2, retryDurationMs: 60_000, outputs })
  await batch.claim([unavailable()])
  await batch.claim([arrived, arrived])
  expect(batch.attempts.map(({ output }) => output)).toEqual([0, 0, 1])
})

test('a copy is never given up', async () => {
  const outputs = [{ accounting: 'copy' }, {}] as const
  const batch = new BatchUnderDelivery({ recordCount: 2, retryDurationMs: 0, outputs })
  expect(await batch.claim([unavailable(), () => [poison(1)]])).toMatchObject({
    retry: { errorCode: '503' },
  })
  expect(await batch.claim([tooLarge])).toMatchObject({ parked: { errorCode: '413' } })
  const { receipt } = await batch.claim([arrived])
  expect(receipt?.outputs).toMatchObject([
    { accounting: 'copy', recordCount: 2 },
    { accounting: 'delivered', recordCount: 1 },
    { accounting: 'errored', recordCount: 1 },
  ])
})

test('one request that is refused for good does not park the others', async () => {
  const outputs = [{ range: { from: 0, to: 1 } }, { range: { from: 1, to: 2 } }]
  const batch = new BatchUnderDelivery({ recordCount: 2, retryDurationMs: 60_000, outputs })
  expect(await batch.claim([tooLarge, unavailable()])).toMatchObject({
    retry: { errorCode: '503', brake: false },
  })
  await batch.claim([tooLarge, arrived])
  expect(batch.errorPuts.map(codesOf)).toEqual([[[0, '413']]])
})

test('a thawed manifest keeps the clock and the attempts, and takes the stream as it is then', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 1, retryDurationMs: 60_000 })
  const { nowMs: firstMs } = batch
  expect(await batch.claim([unauthorized])).toMatchObject({ retry: { brake: true } })
  expect(batch.manifest).toMatchObject({ thawed: { attempts: 1 }, frozenAtMs: firstMs })
  batch.nowMs += 60_000
  const updated = { ...STREAM, versionId: 2, destination: { Name: 'new' } }
  const { receipt } = await batch.claim([() => [busy(0)]], { stream: updated })
  expect(batch.manifest).toMatchObject({
    frozenAtMs: firstMs,
    versionId: 2,
    destination: { Name: 'new' },
  })
  expect(batch.errorPuts).toMatchObject([[{ attempts: 2 }]])
  expect(receipt?.outputs).toHaveLength(2)
})

test('a batch of which all is pending without effect is thawed, one record arrived keeps it', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 2, retryDurationMs: 60_000 })
  await batch.claim([() => [busy(0), busy(1)]])
  expect(batch.manifest).toMatchObject({ outputs: [], thawed: { attempts: 1 } })
  await batch.claim([() => [busy(1)]])
  expect(batch.manifest?.thawed).toBeUndefined()
})

test('the third batch in a row that is nearly all refused brakes the stream, and loses nothing', async () => {
  const ten = { recordCount: 10, retryDurationMs: 60_000 }
  const nine = Array.from({ length: 9 }, (_, ordinal) => poison(ordinal))
  const second = new BatchUnderDelivery(ten)
  expect(await second.claim([() => nine], { refusedInARow: 1 })).toMatchObject({
    mostlyRefused: true,
  })
  const third = new BatchUnderDelivery(ten)
  expect(await third.claim([() => nine], { refusedInARow: 2 })).toMatchObject({
    retry: { errorCode: '400', brake: true },
  })
  expect(third.errorPuts).toEqual([])
  expect(await third.claim([arrived])).toMatchObject({ mostlyRefused: false })
  expect(third.attempts.at(-1)?.ordinals).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
})

test('a small batch, and one that only timed out, do not count as refused', async () => {
  const small = new BatchUnderDelivery({ recordCount: 9, retryDurationMs: 0 })
  const all = Array.from({ length: 9 }, (_, ordinal) => poison(ordinal))
  expect(await small.claim([() => all], { refusedInARow: 2 })).toMatchObject({
    mostlyRefused: false,
  })
  const late = new BatchUnderDelivery({ recordCount: 10, retryDurationMs: 0 })
  expect(await late.claim([unavailable()], { refusedInARow: 2 })).toMatchObject({
    mostlyRefused: false,
  })
})

test('a refused batch counts once it is committed, though its error output took two attempts', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 10, retryDurationMs: 0 })
  const all = Array.from({ length: 10 }, (_, ordinal) => poison(ordinal))
  await batch.claim([() => all], { refusedInARow: 1 }, () => unavailable()())
  expect(await batch.claim([], { refusedInARow: 2 })).toMatchObject({ mostlyRefused: true })
})

test('a failed error output is repeated as it was, without asking the destination', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 2, retryDurationMs: 0 })
  const failing = (): never => {
    throw new DeliveryError('S3.SlowDown', 'Cannot put', { retryable: true, effect: 'none' })
  }
  expect(await batch.claim([() => [poison(1)]], {}, failing)).toMatchObject({
    retry: { errorCode: 'S3.SlowDown' },
  })
  batch.nowMs += 5_000
  expect(await batch.claim([])).toMatchObject({ receipt: { outputs: [{}, {}] } })
  expect(batch.errorPuts[1]).toEqual(batch.errorPuts[0])
  expect(batch.attempts).toHaveLength(1)
})

test('a whole batch decided for the error output is not thawed when that fails', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 1, retryDurationMs: 0 })
  await batch.claim([unavailable()], {}, () => unavailable()())
  expect(await batch.claim([])).toMatchObject({ receipt: { outputs: [{}, {}] } })
  expect(batch.errorPuts[1]).toEqual(batch.errorPuts[0])
})

const TWO_REQUESTS = {
  recordCount: 4,
  atLeastOnce: true,
  outputs: [{ range: { from: 0, to: 2 } }, { range: { from: 2, to: 4 } }],
}

test('at least once: what has arrived is on disk before the next request leaves', async () => {
  const batch = new BatchUnderDelivery({ ...TWO_REQUESTS, retryDurationMs: 60_000 })
  const meanwhile: unknown[] = []
  const noted = (): never => {
    meanwhile.push([batch.manifest?.outputs[0]?.progress?.attempts, batch.known(0)])
    return noAnswer()
  }
  await batch.claim([arrived, noted])
  expect(meanwhile).toEqual([[1, { pending: [], unknown: [] }]])
  await batch.claim([arrived])
  expect(batch.attempts.map(({ output }) => output)).toEqual([0, 1, 1])
})

test('at least once: records of unknown fate are given up like others', async () => {
  const batch = new BatchUnderDelivery({ ...TWO_REQUESTS, retryDurationMs: 0 })
  await batch.claim([arrived, noAnswer])
  expect(batch.errorPuts.map(codesOf)).toEqual([
    [
      [2, 'Timeout'],
      [3, 'Timeout'],
    ],
  ])
})

test('nothing is given up while the stream brakes', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 1, retryDurationMs: 0 })
  expect(await batch.claim([unauthorized])).toMatchObject({ retry: { brake: true } })
  expect(batch.errorPuts).toEqual([])
})

test('what goes bad between encoding and delivery does not pass for delivered', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 2, retryDurationMs: 60_000 })
  const rotting = (): [] => {
    batch.quarantinedCount = 1
    return []
  }
  expect(await batch.claim([rotting])).toMatchObject({ retry: { errorCode: 'InternalError' } })
  expect(await batch.claim([arrived])).toMatchObject({
    receipt: { quarantinedCount: 1, outputs: [{ recordCount: 1 }] },
  })
})

test('a batch that was frozen without outputs has nothing to encode', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 2, outputs: [] })
  batch.quarantinedCount = 2
  await batch.claim([])
  batch.manifest = batch.frozen[0]
  expect(await batch.claim([])).toMatchObject({ receipt: { outputs: [], quarantinedCount: 2 } })
  expect(batch.encodings).toBe(1)
})

test('a batch is tried again also where its progress can not be kept', async () => {
  const batch = new BatchUnderDelivery({ recordCount: 2, retryDurationMs: 60_000 })
  const failing = (): RecordFailure[] => {
    batch.diskFails = true
    return [busy(1)]
  }
  expect(await batch.claim([failing])).toMatchObject({ retry: { errorCode: '429' } })
  batch.diskFails = false
  await batch.claim([arrived])
  expect(batch.attempts.at(-1)?.ordinals).toEqual([0, 1])
})
