/** The process from outside: exit codes, one-line errors, and which Node runs it. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

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
  for (const name of ['serve', 'streams', 'put', 'receipt', 'data', 'settings', 'demo']) {
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
  [['serve', '--backend', 'redis://r'], /^Cannot use a Redis backend: .*\n$/],
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
  const words = [bin, 'put', 'logs', '-', '--endpoint=http://127.0.0.1:1']
  const launcher = spawn(oldNode ?? '', words, { stdio: ['pipe', 'ignore', 'pipe'] })
  const ended = new Promise<void>((resolve) => launcher.stderr.once('close', () => resolve()))
  // The command itself waits for input, and holds stderr open for as long as it lives.
  await childOf(launcher.pid ?? 0)
  launcher.kill('SIGKILL')
  await ended
})

async function childOf(pid: number): Promise<number> {
  for (;;) {
    const { stdout } = spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
    if (stdout.trim() !== '') return Number(stdout.trim())
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
