import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { OutputContent, Spool } from '../destination.ts'
import { SharedSpool } from './shared-spool.ts'

class MemorySpool implements Spool {
  disposals = 0
  readonly #blocks: Buffer[] = []

  write(bytes: Uint8Array): Promise<void> {
    this.#blocks.push(Buffer.from(bytes))
    return Promise.resolve()
  }

  finish(): Promise<OutputContent> {
    const whole = Buffer.concat(this.#blocks)
    return Promise.resolve({
      sizeBytes: whole.byteLength,
      sha256: '',
      read: async (start, end) => whole.subarray(start, end),
      dispose: async () => void (this.disposals += 1),
    })
  }
}

test('each content is what was written for it, with its own size and hash', async () => {
  const contents = fc.array(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 4 }))
  await fc.assert(
    fc.asyncProperty(contents, async (given) => {
      const shared = new SharedSpool(new MemorySpool())
      const finished: OutputContent[] = []
      for (const writes of given) {
        const spool = shared.next()
        for (const bytes of writes) await spool.write(bytes)
        finished.push(await spool.finish())
      }
      await shared.finish()
      for (const [index, content] of finished.entries()) {
        const bytes = Buffer.concat(given[index] ?? [])
        expect(await content.read(0, content.sizeBytes)).toEqual(bytes)
        expect(content.sizeBytes).toBe(bytes.byteLength)
        expect(content.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
      }
    }),
  )
})

test('a range is within its own content, and there is none beyond', async () => {
  const shared = new SharedSpool(new MemorySpool())
  await shared.write(Buffer.from('abc'))
  const first = shared.endContent()
  await shared.write(Buffer.from('defg'))
  const second = shared.endContent()
  expect(() => first.read(0, 1)).toThrow('contents are read when all are finished')
  await shared.finish()
  expect((await second.read(1, 3)).toString()).toBe('ef')
  expect(() => first.read(0, 4)).toThrow('range outside of the content')
})

test('what they share is given back with the last of them, once', async () => {
  const spool = new MemorySpool()
  const shared = new SharedSpool(spool)
  const contents = [shared.endContent(), shared.endContent()]
  await shared.finish()
  await contents[0]?.dispose()
  await contents[0]?.dispose()
  expect(spool.disposals).toBe(0)
  await contents[1]?.dispose()
  await contents[1]?.dispose()
  expect(spool.disposals).toBe(1)
})

test('without contents it is given back at once', async () => {
  const spool = new MemorySpool()
  await new SharedSpool(spool).finish()
  expect(spool.disposals).toBe(1)
})
