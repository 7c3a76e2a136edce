/**
 * A container engine: the one that `docker` reaches, else one of our own, which lives only as long as the
 * test. It is made of Debian's packages, as root, on Linux, and has neither a bridge nor rules for packets:
 * nothing of this machine's network is touched. Images are built with the host's network, containers run
 * with none. There being no image registry, the base image is made here, too.
 */
import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { findProgram } from '../../servers/install.ts'
import { ROOT } from '../programs.ts'

const run = promisify(execFile)
const CACHE = `${ROOT}.cache/engine`
const READY_MS_MAX = 30_000
const POLL_MS = 100
const OUTPUT_CHARACTERS_MAX = 2_000
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024

export class Engine implements AsyncDisposable {
  readonly #program: string
  readonly #environment: NodeJS.ProcessEnv
  readonly #stop: () => Promise<void>

  constructor(program: string, environment: NodeJS.ProcessEnv, stop: () => Promise<void>) {
    this.#program = program
    this.#environment = environment
    this.#stop = stop
  }

  /**
   * What `docker …` writes to stdout.
   * @throws Error with `code` and `stderr`
   */
  async docker(...parameters: readonly string[]): Promise<string> {
    const options = { env: this.#environment, cwd: ROOT, maxBuffer: OUTPUT_BYTES_MAX }
    const { stdout } = await run(this.#program, parameters, options)
    return stdout.trim()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop()
  }
}

/**
 * @param baseImage what an engine of our own takes the base image for, e.g. `node:24.21.0-slim`
 * @returns a sentence that says why there is none
 */
export async function startEngine(baseImage: string): Promise<Engine | string> {
  const docker = findProgram('docker')
  if (docker !== undefined) {
    const engine = new Engine(docker, process.env, () => Promise.resolve())
    if (await answers(engine)) return engine
  }
  const lacking = lackingForOwn()
  if (lacking !== undefined) return lacking
  try {
    return await startOwn(baseImage)
  } catch (error) {
    return `Docker reaches no engine, and one of our own did not start: ${String(error)}`
  }
}

function lackingForOwn(): string | undefined {
  const none = 'Docker reaches no engine'
  if (process.env['CI'] === undefined) return `${none}; with CI=true one is started here`
  if (process.getuid?.() !== 0) return `${none}, and only root can start one`
  const programs = ['apt-get', 'dpkg-deb'].filter((name) => findProgram(name) === undefined)
  return programs.length === 0 ? undefined : `${none}, and to start one ${programs[0]} is missing`
}

async function answers(engine: Engine): Promise<boolean> {
  return engine.docker('version').then(
    () => true,
    () => false,
  )
}

async function startOwn(baseImage: string): Promise<Engine> {
  const baseTar = `${CACHE}/${baseImage.replace(':', '-')}.tar`
  await mkdir(CACHE, { recursive: true })
  if (!existsSync(`${CACHE}/complete`)) {
    await rm(CACHE, { recursive: true, force: true })
    await script('unpack.sh', CACHE)
    await writeFile(`${CACHE}/complete`, '')
  }
  if (!existsSync(baseTar)) await script('base-image.sh', process.execPath, baseTar)

  const folder = await mkdtemp(join(tmpdir(), 'standpipe-engine-'))
  const socket = `unix://${folder}/docker.sock`
  const programs = ['usr/sbin', 'usr/bin'].map((bin) => `${CACHE}/root/${bin}`)
  const PATH = [...programs, process.env['PATH']].join(':')
  const daemon = spawnDaemon(folder, socket, PATH)
  const environment = { PATH, HOME: folder, DOCKER_HOST: socket, DOCKER_BUILDKIT: '0' }
  const engine = new Engine(`${CACHE}/root/usr/bin/docker`, environment, async () => {
    await daemon.stop()
    await unmountAll(folder)
    await rm(folder, { recursive: true, force: true })
  })
  try {
    await daemon.ready(() => answers(engine))
    const variables = [
      'PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
      'NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt',
    ]
    const changes = variables.flatMap((variable) => ['--change', `ENV ${variable}`])
    await engine.docker('import', ...changes, baseTar, baseImage)
    return engine
  } catch (error) {
    await engine[Symbol.asyncDispose]()
    throw error
  }
}

/** What the daemon leaves mounted: the host's network, as a namespace that containers were given. */
async function unmountAll(folder: string): Promise<void> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n')
  const places = mounts.map((line) => line.split(' ')[1] ?? '')
  for (const place of places.filter((one) => one.startsWith(`${folder}/`)).toReversed()) {
    await run('umount', [place])
  }
}

async function script(name: string, ...parameters: readonly string[]): Promise<void> {
  await run(join(import.meta.dirname, name), parameters)
}

interface Daemon {
  ready(answers: () => Promise<boolean>): Promise<void>
  stop(): Promise<void>
}

function spawnDaemon(folder: string, socket: string, PATH: string): Daemon {
  const folders = [`--data-root=${folder}/data`, `--exec-root=${folder}/run`]
  const files = [`--host=${socket}`, `--pidfile=${folder}/dockerd.pid`]
  const network = [
    'bridge=none',
    'iptables=false',
    'ip6tables=false',
    'ip-masq=false',
    'ip-forward=false',
    'userland-proxy=false',
  ]
  const parameters = [...folders, ...files, ...network.map((setting) => `--${setting}`)]
  const child: ChildProcess = spawn('dockerd', parameters, {
    env: { ...process.env, PATH },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(child, 'exit').catch(() => undefined)
  const kill = (): boolean => child.kill()
  process.once('exit', kill)
  let output = ''
  child.stderr?.on('data', (text: Buffer) => {
    output = (output + text.toString()).slice(-OUTPUT_CHARACTERS_MAX)
  })
  const running = (): boolean => child.exitCode === null && child.signalCode === null
  return {
    async ready(isUp) {
      const deadlineMs = performance.now() + READY_MS_MAX
      while (!(await isUp())) {
        if (running() && performance.now() < deadlineMs) await sleep(POLL_MS)
        else throw new Error(`dockerd is not ready: ${output}`)
      }
    },
    async stop() {
      process.off('exit', kill)
      if (!running()) return
      child.kill()
      await ended
    },
  }
}
