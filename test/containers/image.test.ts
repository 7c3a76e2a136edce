/**
 * The image, built and run as docker-compose.yml runs it: without root, on a root file system that can't be
 * written to, with no network but its own loopback, for nothing here is about networks.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from './engine/engine.ts'
import { ROOT } from './programs.ts'

const IMAGE = `standpipe:test-${process.pid}`
const WAIT_MS_MAX = 60_000
const POLL_MS = 200
const OWN_KIB_MAX = 72 * 1024

const dockerfile = await readFile(join(ROOT, 'Dockerfile'), 'utf8')
const nodeVersion = /^ARG NODE_VERSION=(.*)$/m.exec(dockerfile)?.[1]

const engine = await startEngine(`node:${nodeVersion}-slim`)
if (typeof engine === 'string') console.warn(`SKIPPED, the image is not built: ${engine}`)

async function docker(...parameters: readonly string[]): Promise<string> {
  if (typeof engine === 'string') throw new Error(engine)
  return engine.docker(...parameters)
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + WAIT_MS_MAX
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`Cannot go on: not ${what} in time`)
    await sleep(POLL_MS)
  }
}

/** Runs the program in a container of its own; resolves with what it wrote and came to. */
async function runOnce(...parameters: readonly string[]): Promise<object> {
  return docker('run', '--rm', '--network', 'none', ...parameters).then(
    (stdout) => ({ code: 0, stdout }),
    (error: { code: number; stderr: string }) => ({ code: error.code, stderr: error.stderr }),
  )
}

class Container implements AsyncDisposable {
  readonly #id: string

  private constructor(id: string) {
    this.#id = id
  }

  static async start(): Promise<Container> {
    const confined = ['--network=none', '--read-only', '--tmpfs=/tmp', '--cap-drop=ALL']
    const settings = [
      `--volume=${ROOT}deploy/compose/standpipe.yaml:/standpipe.yaml:ro`,
      '--env=STANDPIPE_ACCESS_KEYS=AKID:secret',
      '--env=POSTGRES_PASSWORD=secret',
    ]
    const options = [...confined, '--security-opt=no-new-privileges', '--health-interval=1s']
    const id = await docker('run', '--detach', ...options, ...settings, IMAGE)
    return new Container(id)
  }

  async healthy(): Promise<void> {
    await until('healthy', async () => (await this.#inspect('.State.Health.Status')) === 'healthy')
  }

  async exec(...parameters: readonly string[]): Promise<string> {
    return docker('exec', this.#id, ...parameters)
  }

  /** Sends one record. */
  async put(record: string): Promise<void> {
    await this.exec('sh', '-c', `echo '${record}' | standpipe put quickstart`)
  }

  async kill(): Promise<void> {
    await docker('kill', this.#id)
  }

  async start(): Promise<void> {
    await docker('start', this.#id)
  }

  /** @returns the exit code */
  async stop(): Promise<string> {
    await docker('stop', this.#id)
    return this.#inspect('.State.ExitCode')
  }

  /** All objects of the bucket, decompressed; also of a container that has ended. */
  async objects(): Promise<string> {
    const command = 'find /data/buckets/quickstart -name "*.gz" | sort | xargs zcat'
    const volumes = ['--volumes-from', this.#id, '--entrypoint', 'sh']
    return docker('run', '--rm', '--network', 'none', ...volumes, IMAGE, '-c', command)
  }

  async #inspect(member: string): Promise<string> {
    return docker('inspect', '--format', `{{${member}}}`, this.#id)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await docker('rm', '--force', '--volumes', this.#id)
  }
}

describe.runIf(typeof engine !== 'string')('the image', () => {
  beforeAll(async () => {
    await docker('build', '--network', 'host', '--tag', IMAGE, '.')
  })
  afterAll(async () => {
    if (typeof engine === 'string') return
    await docker('rmi', '--force', IMAGE).catch(() => undefined)
    await engine[Symbol.asyncDispose]()
  })

  test('adds little to its base', async () => {
    const command = ['run', '--rm', '--network=none', '--entrypoint=du', IMAGE]
    const [sizeKiB] = (await docker(...command, '-sk', '/opt/standpipe')).split('\t')
    expect(Number(sizeKiB)).toBeLessThan(OWN_KIB_MAX)
  })

  test('holds nothing that installs or builds, no tests and no second Node', async () => {
    const command = [
      'for name in npm npx corepack yarn gcc make python3 git curl; do command -v $name; done',
      'find /opt/standpipe/src /opt/standpipe/destinations -name "*.test.ts"',
      'find /opt/standpipe/node_modules -maxdepth 1 -name "node-linux-*"',
      'id -u',
    ]
    expect(await runOnce('--entrypoint', 'sh', IMAGE, '-c', command.join('; '))).toEqual({
      code: 0,
      stdout: '1000',
    })
  })

  test('refuses to start where others reach it without access keys', async () => {
    expect(await runOnce(IMAGE)).toEqual({
      code: 2,
      stderr: expect.stringMatching(/^Cannot listen on 0\.0\.0\.0:4573 without access keys: /),
    })
  })

  test.each(['api', 'worker'])('has what %s needs, and wants its Redis', async (role) => {
    const environment = {
      STANDPIPE_ACCESS_KEYS: 'AKID:secret',
      STANDPIPE_BACKEND: 'redis://127.0.0.1:6379',
      STANDPIPE_S3_ENDPOINT: 'http://127.0.0.1:7070',
    }
    const variables = Object.entries(environment).map(([name, value]) => `--env=${name}=${value}`)
    expect(await runOnce(...variables, IMAGE, role)).toEqual({
      code: 3,
      stderr: expect.stringContaining('Cannot use Redis at 127.0.0.1:6379: connect ECONNREFUSED'),
    })
  })

  test('with the settings of compose it turns healthy, takes a record, and drains when it is stopped', async () => {
    await using container = await Container.start()
    await container.healthy()
    const streams = await container.exec('standpipe', 'streams', 'list')
    expect(streams.split('\n').toSorted()).toEqual(['quickstart', 'search', 'warehouse'])
    await container.put('{"kept":"by the drain"}')
    expect(await container.stop()).toBe('0')
    expect(await container.objects()).toBe('{"kept":"by the drain"}')
  })

  test('a container that is killed delivers after its next start', async () => {
    await using container = await Container.start()
    await container.healthy()
    await container.put('{"kept":"on the volume"}')
    await container.kill()
    await container.start()
    await container.healthy()
    expect(await container.stop()).toBe('0')
    expect(await container.objects()).toBe('{"kept":"on the volume"}')
  })
})
