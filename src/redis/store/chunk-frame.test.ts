import { expect, test } from 'vitest'
import { systemClock as clock } from '../../base/clock.ts'
import { chunkMetadata, chunkOf, withMetadata } from '../../chunk.ts'
import { decodeFrame, encodeFrame, FrameDamaged } from './chunk-frame.ts'
import { CompressionTrial } from './compression-trial.ts'

/** Of version 1. */
const FRAME_HEADER_BYTES = 24
const ARRIVAL_MS = 1_763_759_000_123.5
const text = chunkOf([Buffer.alloc(20_000, 'abc'), Buffer.alloc(0), Buffer.from('d')], ARRIVAL_MS)
const noise = chunkOf([clock.randomBytes(5_000)], ARRIVAL_MS)
const small = chunkOf([Buffer.from('hello')], ARRIVAL_MS)
const told = withMetadata(small, [{ größe: 'x'.repeat(5_000) }])
const FRAME_OF_VERSION_1 = '010000000100000000b8a3a883aa7942090000008665d9810500000068656c6c6f'
const dataKey = Buffer.alloc(32, 7)

const encode = (chunk: typeof text, dataKey?: Buffer) =>
  encodeFrame(chunk, {
    clock,
    trial: new CompressionTrial(),
    ...(dataKey !== undefined && { dataKey }),
  })

test.for([
  ['text', text],
  ['noise', noise],
  ['a small payload', small],
  ['a payload with metadata', told],
] as const)('a frame of %s is read back, plain and encrypted', async ([, chunk]) => {
  expect(decodeFrame(await encode(chunk))).toEqual(chunk)
  expect(decodeFrame(await encode(chunk, dataKey), dataKey)).toEqual(chunk)
})

test('metadata is read back, and a chunk without any is written as it always was', async () => {
  const frame = await encode(told)
  expect(chunkMetadata(decodeFrame(frame))).toEqual([{ größe: 'x'.repeat(5_000) }])
  expect([frame[0], (await encode(small))[0]]).toEqual([2, 1])
})

test('a frame of version 1 is read', () => {
  // What the version before this one made of one record, `hello`.
  const frame = Buffer.from(FRAME_OF_VERSION_1, 'hex')
  expect(decodeFrame(frame)).toEqual(small)
})

test('a payload is compressed when that pays', async () => {
  expect((await encode(text)).byteLength).toBeLessThan(1_000)
  expect((await encode(text, dataKey)).byteLength).toBeLessThan(1_000)
  for (const chunk of [noise, small]) {
    expect((await encode(chunk)).byteLength).toBe(FRAME_HEADER_BYTES + chunk.payload.byteLength)
  }
})

test('an encrypted frame tells nothing of its payload, and no two are alike', async () => {
  const [first, second] = await Promise.all([encode(small, dataKey), encode(small, dataKey)])
  expect(first.includes('hello')).toBe(false)
  expect(first.equals(second)).toBe(false)
})

test('a frame with any bit changed, or cut off anywhere, is damaged', async () => {
  const chunks = [small, withMetadata(small, [{ a: 1 }])]
  const frames = await Promise.all(chunks.flatMap((each) => [encode(each), encode(each, dataKey)]))
  for (const frame of frames) {
    const key = frame[1] === 2 ? dataKey : undefined
    for (let index = 0; index < frame.byteLength; index += 1) {
      const changed = Buffer.from(frame)
      changed[index] = (changed[index] ?? 0) ^ 4
      expect(() => decodeFrame(changed, key)).toThrow(
        index === 0 ? 'The frame is of another version' : 'The checksum of the frame is wrong',
      )
      expect(() => decodeFrame(frame.subarray(0, index), key)).toThrow(FrameDamaged)
    }
  }
})

test('an encrypted frame does not open under another key, or under none', async () => {
  const frame = await encode(text, dataKey)
  expect(() => decodeFrame(frame, Buffer.alloc(32, 8))).toThrow('The frame is under another key')
  expect(() => decodeFrame(frame)).toThrow('The frame is encrypted and its batch is not')
})
