/** The process from outside: exit codes, one-line errors, and which Node runs it. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

const bin = fileURLToPath(new URL('../bin/standpipe.js', import.meta.url))
const workingDirectory = mkdtempSync(join(tmpdir(), 'standpipe-main-'))

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function standpipe(
  words: readonly string[],
  environment: Record<string, string> = {},
  node = process.execPath,
): Ended {
  const { status, stdout, stderr } = spawnSync(node, [bin, ...words], {
    cwd: workingDirectory,
    env: { PATH: process.env['PATH'], ...environment },
    encoding: 'utf8',
  })
  return { code: status, stdout, stderr }
}

/** A Node on this machine that is too old for the sources, if there is one. */
const oldNode = ['/usr/bin/node', '/usr/local/bin/node', '/opt/node/bin/node'].find((node) => {
  const major = /^v(\d+)/.exec(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout ?? '')
  return major !== null && Number(major[1]) >= 20 && Number(major[1]) < 24
})

test('--version and --help answer on stdout', () => {
  expect(standpipe(['--version'])).toEqual({
    code: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    stderr: '',
  })
  const help = standpipe(['--help'])
  expect(help.code).toBe(0)
  for (const name of [
    'serve',
    'api',
    'worker',
    'tail',
    'generate',
    'streams',
    'put',
    'receipt',
    'data',
    'settings',
    'demo',
  ]) {
    expect(help.stdout).toContain(`standpipe ${name}`)
    expect(standpipe([name, '--help'])).toMatchObject({ code: 0, stderr: '' })
  }
})

test.each([
  [['srve'], 'Cannot run srve: no such command (did you mean serve?); see standpipe --help\n'],
  [['constructor'], 'Cannot run constructor: no such command; see standpipe --help\n'],
  [['serve', '--lisen=x'], 'Cannot use --lisen: no such flag (did you mean --listen?)\n'],
  [['serve', 'now'], 'Cannot run: "now" is too much\n'],
  [['serve', '--listen', '0.0.0.0:0'], /^Cannot listen on 0\.0\.0\.0:0 without access keys: .*\n$/],
  [['serve', '--backend', 'redis:/r'], /^Cannot use backend: it must be embedded, or a URL .*\n$/],
  [['api'], /^Cannot run api: the backend is embedded; .*\n$/],
  [
    ['worker', '--backend', 'redis://r'],
    /^Cannot run worker with local folders for buckets, .*\n$/,
  ],
  [['settings', '--workers=many'], /^Cannot use --workers: must be a whole number.*\n$/],
])('%j ends with 2 and one line', (words, message) => {
  const { code, stdout, stderr } = standpipe(words)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(message)
})

test('settings --explain says where values come from and where objects go', () => {
  const { stdout } = standpipe(['settings', '--explain', '--workers=1'], {
    STANDPIPE_ACCESS_KEYS: 'AKIDEXAMPLE:hush',
    AWS_PROFILE: 'x',
  })
  expect(stdout).toMatch(/^workers +1 +--workers$/m)
  expect(stdout).toMatch(/^region +us-east-1 +default$/m)
  expect(stdout).toContain('Objects go to AWS S3: AWS credentials are announced by AWS_PROFILE.')
  expect(stdout).toContain('AKIDEXAMPLE')
  expect(stdout).not.toContain('hush')
})

test.skipIf(oldNode === undefined)('an older Node hands over to the one npm installed', () => {
  expect(standpipe(['--version'], {}, oldNode)).toMatchObject({ code: 0, stderr: '' })
  expect(standpipe(['nothing'], {}, oldNode)).toMatchObject({ code: 2 })
})

test.skipIf(oldNode === undefined)('kill -9 of the launcher takes the service along', async () => {
  const words = [bin, 'serve', '--listen=127.0.0.1:0', '--data-dir=orphan', '--log-level=error']
  const launcher = spawn(oldNode ?? '', words, {
    cwd: workingDirectory,
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(launcher.stdout, 'data')
  expect(standpipe(['data', 'repair', '--data-dir=orphan'])).toMatchObject({ code: 3 })
  launcher.kill('SIGKILL')
  // The service has the pipe open for as long as it lives.
  launcher.stdout.resume()
  await once(launcher.stdout, 'close')
  expect(standpipe(['data', 'repair', '--data-dir=orphan'])).toMatchObject({ code: 0, stderr: '' })
})

test('a service that cannot start says why in one line and ends with 3', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const words = ['serve', `--listen=127.0.0.1:${port}`, '--data-dir=taken', '--log-level=error']
  expect(standpipe(words)).toEqual({
    code: 3,
    stdout: '',
    stderr: expect.stringMatching(/^Cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*\n$/),
  })
  taken.close()
  await once(taken, 'close')
})

const fileInTheWay = join(workingDirectory, 'a-file')
writeFileSync(fileInTheWay, '')
mkdirSync(join(workingDirectory, 'odd-catalog', 'catalog.db'), { recursive: true })

test.each([
  ['/proc/x', 'linux', "Cannot use data directory /proc/x: ENOENT: .*, mkdir '/proc/x'"],
  [fileInTheWay, undefined, `Cannot use data directory ${fileInTheWay}: EEXIST: .*`],
  [join(fileInTheWay, 'x'), undefined, `Cannot use data directory ${fileInTheWay}/x: ENOTDIR: .*`],
  ['/sys', 'linux', 'Cannot use data directory /sys: its lock can not be taken, .*'],
  ['odd-catalog', undefined, 'Cannot open the catalog odd-catalog/catalog.db: .*'],
])(
  'a data directory %s that can not be used ends it with 3 and one line',
  (path, platform, line) => {
    if (platform !== undefined && process.platform !== platform) return
    const words = ['serve', '--listen=127.0.0.1:0', `--data-dir=${path}`, '--log-level=error']
    expect(standpipe(words)).toEqual({
      code: 3,
      stdout: '',
      stderr: expect.stringMatching(new RegExp(`^${line}\n$`)) as string,
    })
  },
)

test('a signal while the service starts ends it, however long there is to recover', async () => {
  // Tens of seconds to look through, and no byte on disk.
  const stream = join(workingDirectory, 'long-start', 'batches', 'S1')
  mkdirSync(stream, { recursive: true })
  const batch = join(stream, '01ARZ3NDEKTSV4RRFFQ69G5FAV.open')
  writeFileSync(batch, '')
  truncateSync(batch, 2 ** 37)
  const words = [bin, 'serve', '--listen=127.0.0.1:0', '--data-dir=long-start', '--log-format=json']
  const service = spawn(process.execPath, words, {
    cwd: workingDirectory,
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void service.kill('SIGKILL'))
  let log = ''
  service.stderr.on('data', (text: Buffer) => (log += text.toString()))
  const ended = once(service, 'close')
  const lock = join(workingDirectory, 'long-start', 'lock')
  while (!existsSync(lock)) await sleep(20)
  service.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
  expect(log).toContain('The service was stopped while it started.')
})

test.each(['json', 'text'])(
  'a service whose readers have gone works on, at no cost (%s log)',
  async (format) => {
    const dataDir = `unread-${format}`
    const words = [
      bin,
      'serve',
      '--listen=127.0.0.1:0',
      `--data-dir=${dataDir}`,
      '--log-level=debug',
    ]
    // Each delivery fails, and says so.
    mkdirSync(join(workingDirectory, dataDir, 'buckets'), { recursive: true })
    writeFileSync(join(workingDirectory, dataDir, 'buckets', 'quickstart'), '')
    const service = spawn(process.execPath, [...words, `--log-format=${format}`], {
      cwd: workingDirectory,
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    onTestFinished(() => void service.kill('SIGKILL'))
    const [banner] = (await once(service.stdout, 'data')) as [Buffer]
    service.stdout.destroy()
    service.stderr.destroy()
    const url = /http:\/\/\S+/.exec(banner.toString())?.[0] ?? ''
    await fetch(`${url}/streams/quickstart/records`, { method: 'POST', body: 'one record' })
    await fetch(`${url}/streams/quickstart/flush`, { method: 'POST' })
    let status = ''
    while (!status.includes('LastFailure')) {
      status = await (await fetch(`${url}/streams/quickstart`)).text()
      await sleep(50)
    }
    const usedSeconds = async (): Promise<number> => {
      const metrics = await (await fetch(`${url}/metrics`)).text()
      return Number(/^process_cpu_seconds_total (\S+)/m.exec(metrics)?.[1])
    }
    const before = await usedSeconds()
    await sleep(1_000)
    expect((await usedSeconds()) - before).toBeLessThan(0.5)
    service.kill('SIGTERM')
    expect(await once(service, 'exit')).toEqual([0, null])
  },
)

test('data check tells damage by its exit code, and repair mends it', async () => {
  const words = [bin, 'serve', '--listen=127.0.0.1:0', '--data-dir=damaged', '--log-level=error']
  const service = spawn(process.execPath, words, {
    cwd: workingDirectory,
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [banner] = (await once(service.stdout, 'data')) as [Buffer]
  const url = /http:\/\/\S+/.exec(banner.toString())?.[0] ?? ''
  await fetch(`${url}/streams/quickstart/records`, { method: 'POST', body: 'one record' })
  service.kill('SIGKILL')
  await once(service, 'close')
  expect(standpipe(['data', 'check', '--data-dir=damaged'])).toMatchObject({ code: 0 })
  // Repair seals the batch; damage in a sealed batch is damage.
  expect(standpipe(['data', 'repair', '--data-dir=damaged']).code).toBe(0)
  const batches = join(workingDirectory, 'damaged', 'batches')
  const name = readdirSync(batches, { recursive: true, encoding: 'utf8' }).find((path) =>
    path.endsWith('.batch'),
  )
  const path = join(batches, name ?? '')
  const bytes = readFileSync(path)
  const at = bytes.indexOf('one record')
  expect(at).toBeGreaterThan(0)
  bytes.write('x', at)
  writeFileSync(path, bytes)

  const check = standpipe(['data', 'check', '--data-dir=damaged'])
  expect(check).toMatchObject({ code: 1, stderr: '' })
  expect(check.stdout).toContain(`damaged-chunk  ${join('damaged', 'batches')}`)
  expect(standpipe(['data', 'show', path]).stdout).toContain('"state":"damaged"')
  expect(standpipe(['data', 'repair', '--data-dir=damaged'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('1 damaged chunks') as string,
  })
})
