import { expect, test } from 'vitest'
import type { OpenedSpool, OutputContent } from '../destination.ts'
import { AttemptSpools } from './attempt-spools.ts'

/** A spool that notes what becomes of it, whose writes end when they are let go. */
class NotedSpool implements OpenedSpool {
  readonly events: string[] = []
  readonly #writing = Promise.withResolvers<void>()

  endWrites(): void {
    this.#writing.resolve()
  }

  async write(): Promise<void> {
    await this.#writing.promise
    this.events.push('written')
  }

  async finish(): Promise<OutputContent> {
    this.events.push('finished')
    return {
      sizeBytes: 0,
      sha256: '',
      read: () => Promise.resolve(Buffer.alloc(0)),
      dispose: async () => void this.events.push('content disposed'),
    }
  }

  async dispose(): Promise<void> {
    this.events.push('disposed')
  }
}

test('spools and contents are given back, once what is under way has ended', async () => {
  const spools = new AttemptSpools()
  const [finished, writing] = [new NotedSpool(), new NotedSpool()]
  await spools.add(finished).finish()
  const spool = spools.add(writing)
  const write = spool.write(Buffer.from('x'))
  const disposal = spools.dispose()
  expect(writing.events).toEqual([])
  writing.endWrites()
  await Promise.all([write, disposal])
  expect(writing.events).toEqual(['written', 'disposed'])
  expect(finished.events).toEqual(['finished', 'disposed', 'content disposed'])
  await expect(spool.write(Buffer.from('x'))).rejects.toThrow('an attempt that has ended')
})
