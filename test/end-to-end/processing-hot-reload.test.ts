/** The file of a function is changed while batches flow. */
import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { eventually } from './harness.ts'
import {
  deliveredText,
  eachRecord,
  errorRecords,
  lambda,
  processing,
  ProcessingService,
} from './processing-service.ts'

const HELD = `held ${'x'.repeat(200_000)}`

test('a batch ends on the code that it began with, and later ones show the new code', async () => {
  await using standpipe = await ProcessingService.start({})
  const [called, gate] = ['called', 'gate'].map((name) => standpipe.notePath(name))
  // Records of a batch that it holds come one to a call, for two would not fit.
  const version = (number: number): string =>
    eachRecord(`
      if (text.startsWith('held')) {
        appendFileSync(${JSON.stringify(called)}, '${number}\\n')
        while (!existsSync(${JSON.stringify(gate)})) await sleep(20)
      }
      return ok(text.slice(0, 5) + ' by ${number}\\n')`)
  await standpipe.writeFunction('versioned.mjs', version(1))
  const processors = processing(lambda('versioned', { BufferSizeInMBs: '0.2' }))
  await standpipe.createS3Stream('held', processors)
  await standpipe.createS3Stream('flowing', processors)
  await standpipe.put('flowing', ['first'])
  await standpipe.settled('flowing')

  await standpipe.put(
    'held',
    Array.from({ length: 12 }, () => HELD),
  )
  await eventually('the old code is at work', 20_000, async () =>
    (await standpipe.noteLines('called')).length > 0 ? true : undefined,
  )
  await standpipe.writeFunction('versioned.mjs', version(2))
  await standpipe.put('flowing', ['other'])
  await standpipe.settled('flowing')
  await standpipe.writeFunction('versioned.mjs', '}}}')
  await standpipe.put('flowing', ['third'])
  await standpipe.settled('flowing')
  await standpipe.writeFunction('versioned.mjs', version(4))
  await standpipe.put('flowing', ['forth'])
  expect(await standpipe.settled('flowing')).toMatchObject({ delivered: 3, errored: 1 })
  expect(await standpipe.books('held')).toMatchObject({ delivered: 0, pending: 12 })
  await writeFile(gate ?? '', '')
  await standpipe.put('held', [HELD])

  expect(await standpipe.settled('held')).toMatchObject({ accepted: 13, delivered: 13 })
  const objects = await standpipe.objects('flowing')
  expect(linesOf(deliveredText(objects))).toEqual(['first by 1', 'forth by 4', 'other by 2'])
  expect(errorRecords(objects, 'processing-failed')).toMatchObject([
    {
      rawData: Buffer.from('third').toString('base64'),
      errorMessage: expect.stringMatching(/^SyntaxError: /),
    },
  ])
  // The last of its calls began when the code on disk was another.
  const held = linesOf(deliveredText(await standpipe.objects('held')))
  expect(held).toEqual([...Array.from({ length: 12 }, () => 'held  by 1'), 'held  by 4'])
})

function linesOf(text: string): string[] {
  return text.trimEnd().split('\n').toSorted()
}
