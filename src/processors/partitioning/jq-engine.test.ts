import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { silentLogger } from '../../base/logger.ts'
import { ConfigurationError } from '../../destination.ts'
import { JqEngine } from './jq-engine.ts'
import type { JqResult } from './jq-engine.ts'

const NOT_JSON = { error: 'Non JSON record provided' }
const tools = { clock: systemClock, logger: silentLogger }
const jq = new JqEngine({ ...tools, timeoutMs: 60_000, memoryBytes: 32 * 1024 * 1024 })
const hasty = new JqEngine({ ...tools, timeoutMs: 2000 })
afterAll(async () => {
  await jq.close()
  await hasty.close()
})

function run(query: string, inputs: readonly (string | Buffer)[]): Promise<readonly JqResult[]> {
  return jq.run(
    query,
    inputs.map((input) => Buffer.from(input)),
  )
}

describe('a query', () => {
  test.each([
    ['{a:.x}'],
    ['def f: .x; {a: f} # comment'],
    ['.ts as $t | {year: ($t|strftime("%Y")), id: (.id|tostring)}'],
    ['label $out | {a: (.x, break $out)}'],
  ])('%s compiles', async (query) => {
    await expect(jq.check(query)).resolves.toBe(undefined)
  })

  test.each([
    ['{a:.x', 'syntax error, unexpected end of file'],
    ['{a: nope(1)}', 'nope/1 is not defined'],
    ['1] | [2', 'syntax error'],
    ['. } catch {', 'syntax error'],
    ['--help', 'help/0 is not defined'],
    ['import "a" as a; .', 'module not found: a'],
    ['include "inputString"; .', 'module not found: inputString'],
    ['', 'it must have 1 to 5120 characters, and no NUL'],
    ['.\0', 'it must have 1 to 5120 characters, and no NUL'],
    [`"${'x'.repeat(5119)}"`, 'it must have 1 to 5120 characters, and no NUL'],
  ])('%j is refused in jq’s words', async (query, message) => {
    const refusal = await jq.check(query).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(ConfigurationError)
    expect((refusal as Error).message).toMatch('Invalid MetadataExtractionQuery: ')
    expect((refusal as Error).message).toContain(message)
  })

  test('is not run by its check', async () => {
    await expect(jq.check('until(false; .)')).resolves.toBe(undefined)
  })

  test.each([
    ['.[]', '[1,2]', { error: 'The query has 2 results instead of one' }],
    ['empty', '1', { error: 'The query has 0 results instead of one' }],
    ['error', '"bad"', { error: 'bad' }],
    ['error({a:1})', '1', { error: '{"a":1}' }],
    ['error(null)', '1', { error: 'null' }],
    ['{a:.x}', '3', { error: 'Cannot index number with string "x"' }],
    ['halt', '1', { error: 'The query ended without a result' }],
    ['"bye" | halt_error', '1', { error: 'bye' }],
    ['input', '1', { error: 'break' }],
    ['. # comment', '1', { value: 1 }],
    ['"x" * 20000', '1', { error: "The query's result is longer than 16384 characters" }],
  ])('%s of %s', async (query, input, result) => {
    expect(await run(query, [input])).toEqual([result])
  })

  test('that reads inputs or halts has for each record what it has for the record alone', async () => {
    expect(await run('[., (try input catch "none")]', ['1', '2', '3'])).toEqual(
      [1, 2, 3].map((value) => ({ value: [value, 'none'] })),
    )
    expect(await run('if . == 2 then halt else . end', ['1', '2', '3'])).toEqual([
      { value: 1 },
      { error: 'The query ended without a result' },
      { value: 3 },
    ])
  })

  test('sees no environment and no files of the process', async () => {
    const [result] = await run('[env == $ENV, (env | keys), env._, input_filename]', ['1'])
    const names = ['HOME', 'LANG', 'LOGNAME', 'PATH', 'PWD', 'USER', '_']
    expect(result).toEqual({ value: [true, names, 'jq', 'inputString'] })
    const path = JSON.stringify(import.meta.dirname)
    expect(await run(`${path} | modulemeta`, ['1'])).toEqual([
      { error: expect.stringMatching('module not found') },
    ])
  })
})

describe('a record', () => {
  test('is one JSON text in whatever form, and concerns no other record', async () => {
    const records: readonly [string | Buffer, JqResult][] = [
      ['{"x":1}', { value: 1 }],
      ['{"x":', NOT_JSON],
      ['', NOT_JSON],
      [' \n ', NOT_JSON],
      ['{"x":1}{"x":2}', NOT_JSON],
      ['{"x":1}\n{"x":2}', NOT_JSON],
      ['[', NOT_JSON],
      ['"', NOT_JSON],
      ['NaN', NOT_JSON],
      ['\0', NOT_JSON],
      ['{"x":\n1\r\n}\n', { value: 1 }],
      ['\ufeff{"x":1}', { value: 1 }],
      [Buffer.from([0x7b, 0x22, 0x78, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]), { value: '\ufffd' }],
      [String.raw`{"x":"a\nb\u0000\u2028\ud800"}`, { value: 'a\nb\0\u2028\ufffd' }],
      ['{"x":1,"x":2}', { value: 2 }],
      ['{"x":12345678901234567890}', { value: 12345678901234567000 }],
      ['{"x":\n1e1000}', { value: Infinity }],
      [`{"x":${'9'.repeat(400)}}`, { value: Infinity }],
      ['{"x":-0}', { value: -0 }],
      ['{"y":2}', { value: null }],
      ['null', { value: null }],
      ['7', { error: 'Cannot index number with string "x"' }],
      [
        `${'['.repeat(300)}${']'.repeat(300)}`,
        { error: expect.stringMatching('Exceeds depth limit') as unknown as string },
      ],
      [`${'['.repeat(100_000)}${']'.repeat(100_000)}`, NOT_JSON],
      ['{"x":"last"}', { value: 'last' }],
    ]
    const results = await run(
      '.x',
      records.map(([record]) => record),
    )
    expect(results).toEqual(records.map(([, result]) => result))
  })

  test('has doubles for numbers, as in jq 1.6', async () => {
    const records = ['1.0', '1.10', '12345678901234567890'].map((number) => `{"x":${number}}`)
    const texts = ['1', '1.1', '12345678901234567000']
    expect(await run('.x | tostring', records)).toEqual(texts.map((value) => ({ value })))
  })

  test('keeps its place among more than go into one call', async () => {
    const inputs = Array.from({ length: 1201 }, (_, index) => `{"x":${index}}`)
    const results = await run('{a: .x}', inputs)
    expect(results).toEqual(inputs.map((_, index) => ({ value: { a: index } })))
  })
})

test.each([
  ['memory', '[range(1e9)]', 'it took more than 33554432 bytes of memory'],
  ['the depth of its recursion', 'def f: 1 + f; f', 'it took more than 33554432 bytes of memory'],
  ['what it prints', '("x" * 1e4) as $x | [range(1e3) | $x]', 'it printed more than 8388608 bytes'],
  ['time', 'until(false; .)', 'it took more than 2000 ms'],
])('a hostile record is stopped by %s, and fails alone', async (limit, poison, reason) => {
  const engine = limit === 'time' ? hasty : jq
  const query = `if . == "poison" then ${poison} else . end`
  const inputs = ['1', '2', '"poison"', '4'].map((input) => Buffer.from(input))
  expect(await engine.run(query, inputs)).toEqual([
    { value: 1 },
    { value: 2 },
    { error: `jq was stopped: ${reason}` },
    { value: 4 },
  ])
})

test('what a query says besides its result is passed over', async () => {
  expect(await run('debug | stderr | .', ['1'])).toEqual([{ value: 1 }])
  expect(await run('("x" * 100000) | debug | 1', ['1', '2'])).toEqual([{ value: 1 }, { value: 1 }])
  expect(await run('("x" * 100000) | halt_error', ['1'])).toEqual([{ error: 'x'.repeat(4096) }])
})

test('an engine that is closed gives up its runs', async () => {
  const engine = new JqEngine(tools)
  const running = engine.run('until(false; .)', [Buffer.from('1')])
  const closed = engine.close()
  await expect(running).rejects.toThrow('Cannot run jq: the engine is closed')
  await closed
  await expect(engine.check('.')).rejects.toThrow('Cannot run jq: the engine is closed')
})

test('a query that spoils everything is given up', async () => {
  const impatient = new JqEngine({ ...tools, timeoutMs: 100 })
  const inputs = Array.from({ length: 1000 }, () => Buffer.from('1'))
  const results = await impatient.run('until(false; .)', inputs)
  await impatient.close()
  expect(results.length).toBe(1000)
  expect(results.at(0)).toEqual({ error: 'jq was stopped: it took more than 100 ms' })
  expect(results.at(-1)).toEqual({
    error: 'The query was given up: too many records took too much time or memory',
  })
})

test('a query that had to be stopped holds up no other', async () => {
  const stops: object[] = []
  const { promise: firstStop, resolve } = Promise.withResolvers<void>()
  const warn = (fields: object): void => {
    stops.push(fields)
    resolve()
  }
  const logger: Logger = { ...silentLogger, warn }
  const engine = new JqEngine({ clock: systemClock, logger, timeoutMs: 2000 })
  const ending = new AbortController()
  const ones = Array.from({ length: 10 }, () => Buffer.from('1'))
  const hostile = Promise.allSettled([engine.run('until(false; .)', ones, ending.signal)])
  await firstStop
  const reason = 'jq was stopped: it took more than 2000 ms'
  expect(stops).toEqual([{ query: 'until(false; .)', reason, recordCount: 10 }])
  for (let runs = 0; runs < 10; runs += 1) await engine.run('.', ones)
  // In one thread, each of the runs would have waited for another stop.
  expect(stops.length).toBeLessThan(5)
  const end = new Error('The process ends')
  ending.abort(end)
  expect(await hostile).toEqual([{ status: 'rejected', reason: end }])
  await engine.close()
})

test('what is aborted ends at once, and the next call works', async () => {
  const aborted = new AbortController()
  const running = jq.run('until(false; .)', [Buffer.from('1')], aborted.signal)
  aborted.abort(new Error('No more'))
  await expect(running).rejects.toThrow('No more')
  expect(await run('.', ['1'])).toEqual([{ value: 1 }])
})

test('an idle engine holds up no process', async () => {
  const program = `
    import { systemClock } from '${import.meta.dirname}/../../base/clock.ts'
    import { silentLogger } from '${import.meta.dirname}/../../base/logger.ts'
    import { JqEngine } from '${import.meta.dirname}/jq-engine.ts'
    const sleep = (ms, signal) => systemClock.sleep(ms === 60_000 ? 10 : ms, signal)
    const jq = new JqEngine({ clock: { ...systemClock, sleep }, logger: silentLogger })
    console.log(JSON.stringify(await jq.run('.+1', [Buffer.from('1')])))
    await systemClock.sleep(100)
    console.log(JSON.stringify(await jq.run('.+2', [Buffer.from('1')])))`
  const parameters = ['--eval', program]
  const { stdout } = await promisify(execFile)(process.execPath, parameters, { timeout: 20_000 })
  expect(stdout).toBe('[{"value":2}]\n[{"value":3}]\n')
})
