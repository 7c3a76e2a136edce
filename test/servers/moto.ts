import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram, installMoto } from './install.ts'
import { freePort, startProcess } from './process.ts'
import { serverOf } from './s3-server.ts'
import type { S3Server } from './s3-server.ts'

/** The moto server, from PATH or installed into .cache/. Undefined where it can't be had. */
export async function startMoto(): Promise<S3Server | undefined> {
  const program = findProgram('moto_server') ?? (await installMoto())
  if (program === undefined) return undefined
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'moto-'))
  const child = await startProcess([program, '-H', '127.0.0.1', '-p', String(port)], {
    port,
    folder,
    environment: {},
  })
  return serverOf('moto', port, child, folder)
}
