import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import type { Clock } from '../../base/clock.ts'
import { silentLogger } from '../../base/logger.ts'
import { ConfigurationError, DeliveryError } from '../../destination.ts'
import { SqlEngine, SqlQueryError } from './sql-engine.ts'
import type * as EngineModule from './sql-engine.ts'
import type { SqlEngineOptions } from './sql-engine.ts'
import { unpack } from './sql-messages.ts'

/** Computes for minutes, in one call that DuckDB can't interrupt. */
const HANGING = `SELECT levenshtein(repeat('ab', 200000) || n, repeat('ba', 200000)) AS d FROM records`
const RECORDS = [Buffer.from('{"n":1}'), Buffer.from('{"n":2}')]
const NEVER = new AbortController().signal

const shared = new SqlEngine({ clock: systemClock, logger: silentLogger })
afterAll(() => shared.close())

function openEngine(options: Partial<SqlEngineOptions> = {}): SqlEngine {
  const engine = new SqlEngine({ clock: systemClock, logger: silentLogger, ...options })
  onTestFinished(() => engine.close())
  return engine
}

async function rowsOf(
  engine: SqlEngine,
  query: string,
  records = RECORDS,
): Promise<readonly string[]> {
  const { rows } = await engine.run(query, records, NEVER)
  return rows.flatMap((pack) => [...unpack(pack)].map((row) => row.toString()))
}

test('queries that can be run pass the check, whatever columns they name', async () => {
  const queries = [
    'SELECT a, b.c, upper(d) FROM Records WHERE e > 3 GROUP BY ALL ORDER BY a, b.c;',
    'WITH x AS (SELECT * FROM records) SELECT * FROM x -- a comment',
    'FROM records AS r SELECT r.a, r._record',
    '(SELECT a FROM records) UNION ALL (SELECT b FROM records)',
    `SELECT 'it''s; fine' AS a FROM records`,
  ]
  const checked = await Promise.allSettled(queries.map((query) => shared.check(query)))
  expect(checked.map(({ status }) => status)).toEqual(queries.map(() => 'fulfilled'))
})

test.each([
  ['', 'It must be one SELECT statement'],
  ['SELECT 1 FROM records; SELECT 2 FROM records', 'It must be one SELECT statement'],
  ['SELECT 1', 'It must select from the table records'],
  ['DELETE FROM records', 'Only SELECT statements can be serialized to json!'],
  [`COPY records TO '/tmp/out'`, 'Only SELECT statements can be serialized to json!'],
  ['SELEC a FROM records', 'syntax error at or near "SELEC"'],
  ['SELECT a FROM records) FROM (SELECT 1', 'syntax error at or near ")"'],
  ['SELECT nosuch(a) FROM records', /Scalar Function with name nosuch does not exist!$/],
  ['SELECT a FROM records, others', /Table with name others does not exist!$/],
  [`SELECT a FROM records, read_text('/etc/hostname')`, /file system operations are disabled/],
  [`SELECT a FROM records, '/etc/hostname'`, /Table with name \/etc\/hostname does not exist!$/],
  ['SELECT a FROM records WHERE b = ?', /prepared parameter/],
])('%j is refused', async (query, reason) => {
  const error: unknown = await shared.check(query).catch((refused: unknown) => refused)
  expect(error).toBeInstanceOf(ConfigurationError)
  const { message } = error as Error
  expect(message).toMatch(/^Cannot use the SQL query: /)
  expect(message).toMatch(reason)
})

test('DuckDB can neither reach out nor be opened up again', async () => {
  const [settings] = await rowsOf(
    shared,
    `SELECT current_setting('enable_external_access') AS access,
      current_setting('lock_configuration') AS locked, current_setting('threads') AS threads,
      current_setting('autoload_known_extensions') AS autoload,
      current_setting('temp_directory') AS temporary FROM records LIMIT 1`,
  )
  expect(JSON.parse(settings ?? '')).toEqual({
    access: false,
    locked: true,
    threads: 1,
    autoload: false,
    temporary: '',
  })
})

test('a batch sees nothing of the one before', async () => {
  expect(await rowsOf(shared, 'SELECT n FROM records')).toEqual(['{"n":1}', '{"n":2}'])
  expect(await rowsOf(shared, 'SELECT * FROM records', [Buffer.from('{"m":3}')])).toEqual([
    '{"m":3}',
  ])
})

test('many records come through in order', async () => {
  const records = Array.from({ length: 20_000 }, (_, n) =>
    Buffer.from(`{"n":${n},"text":"${'x'.repeat(n % 300)}"}`),
  )
  const rows = await rowsOf(shared, 'SELECT * FROM records', records)
  expect(rows).toEqual(records.map((record) => record.toString()))
})

test('a query that does not end is killed when its time is over, and the next one runs', async () => {
  const warnings: (readonly [object, string])[] = []
  const logger = { ...silentLogger, warn: (...line: [object, string]) => void warnings.push(line) }
  // Time runs faster for the first query only.
  const durationsMs = [500]
  const sleep: Clock['sleep'] = async (durationMs, signal) => {
    await systemClock.sleep(durationsMs.shift() ?? durationMs, signal)
  }
  const engine = openEngine({ clock: { ...systemClock, sleep }, logger })
  await expect(engine.run(HANGING, RECORDS, NEVER)).rejects.toEqual(
    new SqlQueryError('It took longer than 60000 ms'),
  )
  expect(warnings).toEqual([
    [
      { reason: 'It took longer than 60000 ms' },
      'A process that ran SQL is gone; the next starts anew.',
    ],
  ])
  expect(await rowsOf(engine, 'SELECT count(*) AS c FROM records')).toEqual(['{"c":2}'])
})

test('a query that hangs does not hold up another', async () => {
  const engine = openEngine()
  const stopping = new AbortController()
  const hanging = engine.run(HANGING, RECORDS, stopping.signal)
  expect(await rowsOf(engine, 'SELECT count(*) AS c FROM records')).toEqual(['{"c":2}'])
  stopping.abort()
  await expect(hanging).rejects.toThrow(DeliveryError)
})

test('what is under way is given up when the process ends, to be tried again', async () => {
  const engine = openEngine()
  const hanging = engine.run(HANGING, RECORDS, NEVER)
  const waiting = [1, 2].map(() => engine.run(HANGING, RECORDS, NEVER))
  const outcomes = Promise.allSettled([hanging, ...waiting])
  await engine.close()
  for (const outcome of await outcomes) {
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: { errorCode: 'SQL.Interrupted', retryable: true, effect: 'none' },
    })
  }
})

test('no more memory than its limit, and the next one has it again', async () => {
  const engine = openEngine({ memoryLimit: '64MB' })
  const hungry = `SELECT list(repeat('x', 1000) || i) AS l FROM records, range(1000000) t(i)`
  await expect(engine.run(hungry, RECORDS, NEVER)).rejects.toThrow(/^Out of Memory Error: /)
  expect(await rowsOf(engine, 'SELECT count(*) AS c FROM records')).toEqual(['{"c":2}'])
})

test('records that do not fit into memory fail the query, and the next ones fit', async () => {
  const engine = openEngine({ memoryLimit: '16MB' })
  const records = Array.from({ length: 40 }, (_, n) =>
    Buffer.from(`{"n":${n},"text":"${'x'.repeat(1_000_000)}"}`),
  )
  await expect(engine.run('SELECT n FROM records', records, NEVER)).rejects.toThrow(
    /^Failed to append: .*could not allocate/,
  )
  expect(await rowsOf(engine, 'SELECT count(*) AS c FROM records')).toEqual(['{"c":2}'])
})

test('a result beyond all bounds is given up', async () => {
  const endless = `SELECT repeat('x', 10000) AS x FROM records, range(1000000)`
  await expect(shared.run(endless, RECORDS, NEVER)).rejects.toEqual(
    new SqlQueryError('The rows of the result exceed 268435456 bytes'),
  )
})

// Only Linux tells the children of a process without a tool.
test.runIf(process.platform === 'linux')('a process is not kept for ever', async () => {
  const engine = openEngine()
  const processes = new Set<string>()
  for (let batch = 0; batch < 25; batch += 1) {
    await engine.check('SELECT n FROM records')
    processes.add((await childrenOf(process.pid)).toString())
  }
  expect(processes.size).toBeGreaterThan(1)
})

// Only Linux tells the children of a process without a tool.
test.runIf(process.platform === 'linux')('its process does not outlive the service', async () => {
  const module = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)
  const script = `
    import { SqlEngine } from ${module('sql-engine.ts')}
    import { systemClock } from ${module('../../base/clock.ts')}
    import { silentLogger } from ${module('../../base/logger.ts')}
    const engine = new SqlEngine({ clock: systemClock, logger: silentLogger })
    await engine.check('SELECT n FROM records')
    console.log('ready')
    await engine.run(${JSON.stringify(HANGING)}, [Buffer.from('{"n":1}')], new AbortController().signal)
  `
  const service = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(service.stdout, 'data')
  const [child = 0] = await childrenOf(service.pid)
  expect(isRunning(child)).toBe(true)
  service.kill('SIGKILL')
  await once(service, 'exit')
  await vi.waitFor(() => expect(isRunning(child)).toBe(false), { timeout: 10_000 })
})

test('without DuckDB the query is refused, and a batch waits', async () => {
  // A copy of the sources where no package is found.
  const directory = await mkdtemp(join(tmpdir(), 'standpipe-sql-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const source = fileURLToPath(new URL('../..', import.meta.url))
  for (const name of await readdir(source)) {
    const isNeeded = name === 'base' || name === 'processors' || name.endsWith('.ts')
    if (isNeeded) await cp(join(source, name), join(directory, name), { recursive: true })
  }
  const { SqlEngine: EngineAlone } = (await import(
    join(directory, 'processors/sql/sql-engine.ts')
  )) as typeof EngineModule
  const engine = new EngineAlone({ clock: systemClock, logger: silentLogger })
  onTestFinished(() => engine.close())
  await expect(engine.check('SELECT n FROM records')).rejects.toMatchObject({
    name: 'ConfigurationError',
    message: expect.stringMatching(
      /^Cannot use the SQL processor: the package @duckdb\/node-api can't be loaded \(Cannot find package /,
    ),
  })
  await expect(engine.run('SELECT n FROM records', RECORDS, NEVER)).rejects.toMatchObject({
    name: 'DeliveryError',
    errorCode: 'SQL.Unavailable',
    retryable: true,
    effect: 'none',
  })
})

async function childrenOf(pid = 0): Promise<readonly number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return children.split(' ').filter(Boolean).map(Number)
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
