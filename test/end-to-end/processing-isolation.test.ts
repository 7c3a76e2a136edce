/**
 * Functions that hang keep nobody waiting but their own streams. Here they hang until the test opens a
 * gate, which it does when it has seen what others come to meanwhile: counts are compared, not times.
 */
import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { eventually } from './harness.ts'
import {
  deliveredText,
  eachRecord,
  lambda,
  processing,
  ProcessingService,
} from './processing-service.ts'

const PATIENCE_MS = 60_000
const BRISK_BATCHES = 20
/** No function of these tests is ended for being late. One worker, so that they get in its way soon. */
const ENVIRONMENT = { STANDPIPE_FUNCTION_TIMEOUT_MS: '300000', STANDPIPE_WORKERS: '1' }
/** Each two of them take five seconds until they are known to be slow. */
const MANY = process.env['CI'] === undefined ? 5 : 12

test.each([
  ['a stream whose function hangs', 1, 1],
  ['many such streams, each with a backlog', MANY, 5],
])('beside %s, another delivers all it gets', async (_, streamCount, batchCount) => {
  await using standpipe = await ProcessingService.start(
    { 'brisk.mjs': eachRecord('ok(text.toUpperCase())') },
    ENVIRONMENT,
  )
  const stuck = Array.from({ length: streamCount }, (_name, index) => `stuck-${index + 1}`)
  for (const name of stuck) await standpipe.writeFunction(`${name}.mjs`, hanging(standpipe, name))
  for (const name of [...stuck, 'brisk']) {
    await standpipe.createS3Stream(name, processing(lambda(name)))
  }
  for (let batch = 1; batch <= batchCount; batch += 1) {
    await Promise.all(stuck.map((name) => standpipe.put(name, [`${batch}.`])))
  }
  await eventually('a function hangs', PATIENCE_MS, async () =>
    (await standpipe.noteLines('called')).length > 0 ? true : undefined,
  )

  for (let batch = 1; batch <= BRISK_BATCHES; batch += 1) await standpipe.put('brisk', ['b'])
  expect(await standpipe.settled('brisk')).toMatchObject({ delivered: BRISK_BATCHES })
  for (const name of stuck) {
    expect(await standpipe.books(name)).toMatchObject({ delivered: 0, pending: batchCount })
  }

  await writeFile(standpipe.notePath('gate'), '')
  const settled = await Promise.all(stuck.map((name) => standpipe.settled(name)))
  for (const books of settled) {
    expect(books).toMatchObject({ accepted: batchCount, delivered: batchCount })
  }
  expect(deliveredText(await standpipe.objects('stuck-1'))).toHaveLength(batchCount * 2)
})

/** A function that says that it was called, and waits for the gate. */
function hanging(standpipe: ProcessingService, name: string): string {
  return eachRecord(`
    appendFileSync(${JSON.stringify(standpipe.notePath('called'))}, '${name}\\n')
    while (!existsSync(${JSON.stringify(standpipe.notePath('gate'))})) await sleep(50)
    return ok(text)`)
}
