import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const READY_MS_MAX = 30_000
const POLL_MS = 20
const TERM_MS_MAX = 3_000
const OUTPUT_CHARACTERS_MAX = 10_000

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

interface ProcessOptions {
  /** It is ready when somebody takes connections there. */
  readonly port: number
  readonly folder: string
  readonly environment: Readonly<Record<string, string>>
  /** How long it may take to get ready, where that is longer than usual. */
  readonly readyMsMax?: number
  /** Who it runs as, where that isn't whoever runs the tests. */
  readonly user?: { readonly uid: number; readonly gid: number }
}

/** Runs a server that doesn't outlive this process. */
export async function startProcess(
  [program, ...parameters]: readonly [string, ...string[]],
  { port, folder, environment, readyMsMax = READY_MS_MAX, user }: ProcessOptions,
): Promise<ChildProcess> {
  const child = spawn(program, parameters, {
    ...user,
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const kill = (): boolean => child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: Buffer) => {
      output = (output + text.toString()).slice(-OUTPUT_CHARACTERS_MAX)
    })
  }
  await once(child, 'spawn')
  const deadlineMs = performance.now() + readyMsMax
  while (!(await takesConnections(port))) {
    const dead = child.exitCode !== null || child.signalCode !== null
    if (dead || performance.now() > deadlineMs) {
      await stopProcess(child)
      throw new Error(`Cannot start ${program}: ${dead ? 'it ended' : 'not ready'}\n${output}`)
    }
    await sleep(POLL_MS)
  }
  return child
}

export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const ended = await Promise.race([exited, sleep(TERM_MS_MAX, 'late' as const)])
  if (ended === 'late') child.kill('SIGKILL')
  await exited
}

async function takesConnections(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
