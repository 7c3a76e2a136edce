import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { fakeService, run } from '../../test/fakes/service-before-commands.ts'
import { explain } from './explain.ts'

const folder = mkdtempSync(join(tmpdir(), 'standpipe-explain-'))
const record = join(folder, 'record')
writeFileSync(record, '{"a": 1}')
const printed: string[] = []
vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
  printed.push(String(text))
  return true
})
afterEach(() => {
  printed.length = 0
})
afterAll(() => rmSync(folder, { recursive: true }))

const EXPLANATION = {
  Stages: [
    {
      Name: 'Lambda',
      Records: [{ Text: 'a "b"', PartitionKeys: { Lambda: { k: 'v' } } }, { Data: '/w==' }],
      RecordCount: 2,
      DroppedCount: 1,
      Failures: [{ ErrorCode: 'Lambda.X', ErrorMessage: 'no' }],
      FailedCount: 1,
    },
    {
      Name: 'DynamicPartitioning',
      Records: [],
      RecordCount: 0,
      DroppedCount: 0,
      Failures: [],
      FailedCount: 0,
    },
  ],
  Outputs: [
    {
      Kind: 'documents',
      Accounting: 'delivered',
      Target: { index: 'logs' },
      SizeBytes: 0,
      Records: [
        { Item: { _id: 'x' }, Text: '{}' },
        { Item: { rows: [] } },
        { ErrorCode: '400', ErrorMessage: 'no JSON' },
      ],
    },
    {
      Kind: 's3',
      Accounting: 'copy',
      Target: { key: 'k' },
      SizeBytes: 30,
      Content: { Format: 'GZIP', Text: 'x'.repeat(300) },
    },
    {
      Kind: 's3-backup',
      Accounting: 'copy',
      Target: { key: 'l' },
      SizeBytes: 40,
      Content: { Format: 'UNCOMPRESSED', Data: '/w==' },
    },
    {
      Kind: 'parquet',
      Accounting: 'copy',
      Target: { key: 'm' },
      SizeBytes: 50,
      Content: { Format: 'PARQUET' },
    },
  ],
  OutputCount: 6,
}

test('explain sends the record as it is, and tells what would become of it', async () => {
  await using service = await fakeService(() => ({ body: EXPLANATION }))
  const flags = { stream: 'my logs', record }
  expect(await run(explain, service.url, [], flags)).toBe(0)
  expect(service.calls).toEqual([{ name: 'POST /streams/my%20logs/explain', body: { a: 1 } }])
  expect(printed.join('').trimEnd().split('\n')).toEqual([
    'Lambda: 2 out, 1 dropped, 1 failed',
    String.raw`  "a \"b\""`,
    '    partition keys {"Lambda":{"k":"v"}}',
    '  "/w=="',
    '  Lambda.X: no',
    'DynamicPartitioning: nothing comes out',
    'documents (delivered): {"index":"logs"}',
    '  {"_id":"x"} "{}"',
    '  {"rows":[]}',
    '  400: no JSON',
    's3 (copy): {"key":"k"}',
    `  30 bytes of GZIP: "${'x'.repeat(199)}…`,
    's3-backup (copy): {"key":"l"}',
    '  40 bytes: "/w=="',
    'parquet (copy): {"key":"m"}',
    '  50 bytes of PARQUET',
    'and 2 outputs more',
  ])
})

test('explain gives all of it as JSON, and says what it can not read', async () => {
  await using service = await fakeService(() => ({ body: EXPLANATION }))
  const flags = { stream: 'logs', record, json: true }
  expect(await run(explain, service.url, [], flags)).toBe(0)
  expect(JSON.parse(printed.join(''))).toEqual(EXPLANATION)
  await expect(
    run(explain, service.url, [], { stream: 'logs', record: join(folder, 'missing') }),
  ).rejects.toMatchObject({
    message: expect.stringMatching(/^Cannot read the record: ENOENT/) as string,
    exitCode: 1,
  })
  expect(service.calls).toHaveLength(1)
})

test.each([
  [{}, [], '--stream is missing'],
  [{ stream: 'logs' }, [], '--record is missing'],
  [{ stream: 'logs', record }, ['more'], '"more" is too much'],
])('misuse is a usage error: %#', async (flags, positionals, message) => {
  await expect(run(explain, 'http://127.0.0.1:1', positionals, flags)).rejects.toMatchObject({
    message: expect.stringContaining(message) as string,
    exitCode: 2,
  })
})
