/**
 * A full disk. As root on Linux the data directory is a tmpfs of 24 MiB that really fills up;
 * elsewhere the disk quota stands in for it, at its smallest.
 */
import { execFileSync } from 'node:child_process'
import { mkdtemp, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FAULT_FREE, OUTAGE } from '../fakes/fault-plan.ts'
import { FaultyS3 } from '../fakes/faulty-s3.ts'
import { SeededRandom } from '../fakes/seeded-random.ts'
import { judge } from './crash-run.ts'
import type { Verdict } from './crash-run.ts'
import { eventually, Service } from './harness.ts'
import type { HttpClient } from './http-client.ts'
import { Ledger } from './ledger.ts'
import { s3Objects } from './objects.ts'
import { s3Environment, smallStream } from './streams.ts'
import { lineOf } from './traffic.ts'

const RECORDS_A_BATCH = 40
const PAD_BYTES = 25_000

test('the quota: puts get 503 while it is used up, nothing is lost, and puts come back', async () => {
  const verdict = await fillAndRecover({ STANDPIPE_DISK_QUOTA_BYTES: '64MiB' })
  expect(verdict).toMatchObject({ findings: [], bookProblems: [] })
})

const mountable = process.platform === 'linux' && process.getuid?.() === 0
test.runIf(mountable)('a full disk: the same, with ENOSPC and a kill', async () => {
  await using disk = await TmpfsDisk.mount('24m')
  const verdict = await fillAndRecover({ STANDPIPE_FREE_BYTES_MIN: '0' }, disk.path)
  expect(verdict).toMatchObject({ findings: [], bookProblems: [] })
})

async function fillAndRecover(
  environment: Record<string, string>,
  dataDir?: string,
): Promise<Verdict> {
  await using s3 = await FaultyS3.start(new SeededRandom(1))
  await using service = await Service.start({
    environment: { ...s3Environment(s3), ...environment },
    ...(dataDir === undefined ? {} : { dataDir }),
  })
  const client = service.client()
  await smallStream(client, 'plain', {})
  s3.misbehave(OUTAGE)
  const ledger = new Ledger()
  const sender = new Sender(client, ledger)
  for (let sent = 0; (await sender.send()) !== 503; sent += 1) {
    expect(sent, 'batches of 1 MB taken').toBeLessThan(200)
  }
  expect(await sender.send()).toBe(503)
  expect((await client.get('/health/live')).status).toBe(200)
  expect((await client.get('/health/ready')).status).toBe(503)
  // Also a crash while the disk is full must lose nothing.
  await service.kill()
  service.spawn()
  await service.ready('live')

  s3.misbehave(FAULT_FREE)
  await eventually('puts are taken again', 30_000, async () =>
    (await sender.send()) === 200 ? true : undefined,
  )
  const verdict = await judge(client, 'plain', ledger, () => s3Objects(s3.bucket('bucket-plain')))
  client.close()
  return verdict
}

/** Sends batches of 1 MB one after the other and keeps the ledger. */
class Sender {
  readonly #client: HttpClient
  readonly #ledger: Ledger
  #lastId = 0

  constructor(client: HttpClient, ledger: Ledger) {
    this.#client = client
    this.#ledger = ledger
  }

  /** Resolves with the HTTP status; a batch refused in part counts as 503. */
  async send(): Promise<number> {
    const ids = Array.from({ length: RECORDS_A_BATCH }, () => `plain-${(this.#lastId += 1)}`)
    const { status, body } = await this.#client.call('PutRecordBatch', {
      DeliveryStreamName: 'plain',
      Records: ids.map((id) => ({ Data: lineOf(id, PAD_BYTES).toString('base64') })),
    })
    return this.#ledger.enter(ids, status, body) === 0 ? status : 503
  }
}

class TmpfsDisk implements AsyncDisposable {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  static async mount(size: string): Promise<TmpfsDisk> {
    const path = await mkdtemp(join(tmpdir(), 'standpipe-disk-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'standpipe-test', path])
    return new TmpfsDisk(path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    execFileSync('umount', [this.path])
    await rmdir(this.path)
  }
}
