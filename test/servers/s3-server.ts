import type { ChildProcess } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram, installVersitygw, installWeed } from './install.ts'
import { freePort, startProcess, stopProcess } from './process.ts'

/** A server that speaks S3, for as long as it isn't disposed of. */
export interface S3Server extends AsyncDisposable {
  /** For the names of tests, e.g. `versitygw`. */
  readonly name: string
  readonly endpoint: string
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

const REGION = 'us-east-1'
const CREDENTIALS = { accessKeyId: 'standpipe-test', secretAccessKey: 'standpipe-test-secret' }

/**
 * A conforming S3 server: the one at TEST_S3_ENDPOINT (with AWS's variables for credentials), else
 * versitygw or SeaweedFS from PATH or installed into .cache/. Undefined where none can be had.
 */
export async function startS3Server(): Promise<S3Server | undefined> {
  const external = externalServer()
  if (external !== undefined) return external
  const versitygw = findProgram('versitygw')
  if (versitygw !== undefined) return await startVersitygw(versitygw)
  const weed = findProgram('weed')
  if (weed !== undefined) return await startWeed(weed)
  const installed = await installVersitygw()
  if (installed !== undefined) return await startVersitygw(installed)
  const installedWeed = await installWeed()
  return installedWeed === undefined ? undefined : await startWeed(installedWeed)
}

function externalServer(): S3Server | undefined {
  const { TEST_S3_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION } = process.env
  if (TEST_S3_ENDPOINT === undefined) return undefined
  return {
    name: TEST_S3_ENDPOINT,
    endpoint: TEST_S3_ENDPOINT,
    region: AWS_REGION ?? REGION,
    credentials: {
      accessKeyId: AWS_ACCESS_KEY_ID ?? CREDENTIALS.accessKeyId,
      secretAccessKey: AWS_SECRET_ACCESS_KEY ?? CREDENTIALS.secretAccessKey,
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

async function startVersitygw(program: string): Promise<S3Server> {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'versitygw-'))
  const data = join(folder, 'data')
  await mkdir(data)
  const environment = {
    ROOT_ACCESS_KEY: CREDENTIALS.accessKeyId,
    ROOT_SECRET_KEY: CREDENTIALS.secretAccessKey,
  }
  const child = await startProcess(
    [program, '--port', `127.0.0.1:${port}`, '--region', REGION, '--quiet', 'posix', data],
    { port, folder, environment },
  )
  return serverOf('versitygw', port, child, folder)
}

const OTHER_WEED_PORTS = [
  's3.port.grpc',
  'master.port',
  'master.port.grpc',
  'volume.port',
  'volume.port.grpc',
  'filer.port',
  'filer.port.grpc',
]

async function startWeed(program: string): Promise<S3Server> {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'weed-'))
  const parameters = ['server', '-s3', '-ip=127.0.0.1', `-dir=${folder}`, `-s3.port=${port}`]
  for (const setting of OTHER_WEED_PORTS) parameters.push(`-${setting}=${await freePort()}`)
  const environment = {
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
  }
  const child = await startProcess([program, ...parameters], { port, folder, environment })
  return serverOf('SeaweedFS', port, child, folder)
}

export function serverOf(
  name: string,
  port: number,
  child: ChildProcess,
  folder: string,
): S3Server {
  return {
    name,
    endpoint: `http://127.0.0.1:${port}`,
    region: REGION,
    credentials: CREDENTIALS,
    async [Symbol.asyncDispose]() {
      await stopProcess(child)
      await rm(folder, { recursive: true, force: true })
    },
  }
}
