/** `standpipe generate` as a process, before the real service: what it says and what is delivered agree. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/base/json.ts'
import { settledBooks } from './books.ts'
import { eventually, Service } from './harness.ts'
import { decompressed, folderObjects } from './objects.ts'
import { bucketOf, smallStream } from './streams.ts'

const BIN = fileURLToPath(new URL('../../bin/standpipe.js', import.meta.url))
const STREAM = 'generated'
const DELIVERED_MS_MAX = 60_000

interface Ended {
  readonly exitCode: number | null
  readonly output: string
  readonly errors: string
}

/** Killed when the test is over, if it still runs. */
interface Generator extends Disposable {
  readonly process: ChildProcess
  readonly ended: Promise<Ended>
}

function generate(service: Service, ...flags: string[]): Generator {
  const words = ['generate', '--stream', STREAM, '--endpoint', service.url, ...flags]
  const child = spawn(process.execPath, [BIN, ...words], {
    env: { PATH: process.env['PATH'] ?? '', HOME: service.dataDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]).then(
    ([, output, errors]) => ({ exitCode: child.exitCode, output, errors }),
  )
  return { process: child, ended, [Symbol.dispose]: () => child.kill('SIGKILL') }
}

/** All lines in the stream's bucket, once there are this many. */
async function deliveredLines(service: Service, count: number): Promise<string[]> {
  const folder = join(service.dataDir, 'buckets', bucketOf(STREAM))
  let lines: string[] = []
  await eventually(`${count} lines are delivered`, DELIVERED_MS_MAX, async () => {
    const objects = await folderObjects(folder)
    lines = objects.flatMap((object) => decompressed(object).toString().split('\n').slice(0, -1))
    return lines.length >= count ? true : undefined
  })
  return lines
}

test('each acknowledged record is delivered as one line, and none twice', async () => {
  await using service = await Service.start()
  const client = service.client()
  await smallStream(client, STREAM, {})
  const flags = ['--template', 'json-orders', '--rate', '20000', '--count', '30000', '--json']
  using generator = generate(service, ...flags, '--seed', '7')
  const { exitCode, output } = await generator.ended
  const sums = JSON.parse(output) as JsonObject
  expect({ exitCode, ...sums }).toMatchObject({
    exitCode: 0,
    seed: 7,
    made: 30_000,
    acknowledged: 30_000,
    failed: 0,
    missed: 0,
  })
  const lines = await deliveredLines(service, 30_000)
  expect(lines).toHaveLength(30_000)
  const ids = new Set(lines.map((line) => (JSON.parse(line) as JsonObject)['order_id']))
  expect(ids.size).toBe(30_000)
  expect(await settledBooks(client, STREAM)).toMatchObject({
    accepted: 30_000,
    delivered: 30_000,
    pending: 0,
  })
  client.close()
})

test('a service that is killed and comes back is made up for', async () => {
  await using service = await Service.start()
  const client = service.client()
  await smallStream(client, STREAM, {})
  const flags = ['--template', '{{random.uuid}}', '--rate', '2000', '--count', '10000', '--json']
  using generator = generate(service, ...flags)
  await deliveredLines(service, 1)
  await service.kill()
  await service.start()
  const { exitCode, output } = await generator.ended
  const sums = JSON.parse(output) as Record<string, number>
  expect({ exitCode, ...sums }).toMatchObject({ exitCode: 0, acknowledged: 10_000, failed: 0 })
  expect(sums['sentAgain']).toBeGreaterThan(0)
  // Records whose answer was lost are sent again, so that some may be there twice; none is missing.
  await eventually('each record is delivered', DELIVERED_MS_MAX, async () => {
    const distinct = new Set(await deliveredLines(service, 10_000))
    return distinct.size === 10_000 ? true : undefined
  })
  client.close()
})

test('^C ends it with the sums, and all that it made is acknowledged', async () => {
  await using service = await Service.start()
  const client = service.client()
  await smallStream(client, STREAM, {})
  using generator = generate(service, '--template', 'apache-log', '--rate', '200', '--json')
  await deliveredLines(service, 1)
  generator.process.kill('SIGINT')
  const { exitCode, output, errors } = await generator.ended
  const sums = JSON.parse(output) as Record<string, number>
  expect({ exitCode, ...sums }).toMatchObject({ exitCode: 0, failed: 0 })
  expect(sums['acknowledged']).toBe(sums['made'])
  expect(errors).toMatch(/^planned \d+\/s, sent \d+\/s, acknowledged \d+\/s/m)
  expect(await deliveredLines(service, sums['made'] ?? 0)).toHaveLength(sums['made'] ?? 0)
  client.close()
})

test('a stream that does not exist is told in one line', async () => {
  await using service = await Service.start()
  const flags = ['--template', 'syslog', '--rate', '10', '--quiet']
  using generator = generate(service, ...flags)
  const { exitCode, output, errors } = await generator.ended
  expect([exitCode, output, errors.trimEnd().split('\n')]).toEqual([
    1,
    '',
    [expect.stringContaining('ResourceNotFoundException: ')],
  ])
})
