#!/usr/bin/env node
/**
 * Starts src/main.ts on a Node that can run it. The sources are TypeScript, which Node reads from 24
 * on; on an older one this script hands over to the Node 24 that npm installed beside us.
 *
 * Plain JavaScript for Node 20 and later. Under npm nothing is handed over: npm puts that Node first
 * on the PATH, so that there is one process and no wrapper around it.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'

const NODE_MAJOR_MIN = 24
const LAUNCHED = 'STANDPIPE_LAUNCHED'

if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR_MIN) {
  if (process.env[LAUNCHED] !== undefined) dieWithLauncher()
  tuneGarbageCollector()
  const { main } = await import('../src/main.ts')
  await main(process.argv.slice(2))
} else {
  const node = installedNode()
  if (node === undefined) {
    process.stderr.write(
      `Cannot start: Standpipe needs Node ${NODE_MAJOR_MIN} or later, this is ` +
        `${process.version}. Install it, or run \`npm ci\` here with optional packages, which ` +
        'brings one for Linux on x64 and arm64\n',
    )
    process.exitCode = 2
  } else handOver(node)
}

/**
 * Heaps are small here, what is allocated are buffers outside of them: waking four threads for each
 * short scavenge, and marking the heap anew for every 10 MB of buffers, is a fifth of all processor time
 * (docs/performance.md).
 */
function tuneGarbageCollector() {
  setFlagsFromString('--no-parallel-scavenge')
  setFlagsFromString('--heap-growing-percent=150')
}

/** The channel closes when the launcher is gone, however it went; kill -9 leaves no orphan. */
function dieWithLauncher() {
  delete process.env[LAUNCHED]
  process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  process.channel?.unref()
}

function installedNode() {
  const name = `node-${process.platform}-${process.arch}`
  const places = [`../node_modules/${name}/bin/node`, `../../${name}/bin/node`]
  return places.map((place) => fileURLToPath(new URL(place, import.meta.url))).find(existsSync)
}

function handOver(node) {
  const child = spawn(node, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [LAUNCHED]: '1' },
  })
  const forward = (signal) => child.kill(signal)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, forward)
  child.on('error', (error) => {
    process.stderr.write(`Cannot start ${node}: ${error.message}\n`)
    process.exitCode = 2
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    for (const forwarded of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(forwarded, forward)
    process.kill(process.pid, signal)
  })
}
