/**
 * A wall clock that jumps, by libfaketime (Debian package `faketime`), which leaves the monotonic
 * clock alone. Ages, back-off and order must not care; names and stamps follow the wall.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { MISBEHAVING, FAULT_FREE } from '../fakes/fault-plan.ts'
import { FaultyS3 } from '../fakes/faulty-s3.ts'
import { SeededRandom, testSeed } from '../fakes/seeded-random.ts'
import { available } from '../clients/available.ts'
import { judge } from './crash-run.ts'
import { Service } from './harness.ts'
import { Ledger } from './ledger.ts'
import { s3Objects } from './objects.ts'
import { s3Environment, smallStream } from './streams.ts'
import { Traffic } from './traffic.ts'

const LIBRARY = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1'
/** Less than the retention (24 h) apart: what is older by the wall clock is parked when it fails. */
const JUMPS = ['+10h', '-10h', '+0', '-3h', '+5h']

const present = available('libfaketime', existsSync(LIBRARY))
test.runIf(present)(
  'the wall clock jumps under load: nothing lost, nothing doubled, nothing late',
  async () => {
    const seed = testSeed()
    const folder = await mkdtemp(join(tmpdir(), 'standpipe-clock-'))
    const clockFile = join(folder, 'clock')
    await writeFile(clockFile, '+0')
    await using s3 = await FaultyS3.start(new SeededRandom(seed))
    await using service = await Service.start({
      environment: {
        ...s3Environment(s3),
        LD_PRELOAD: LIBRARY,
        FAKETIME_TIMESTAMP_FILE: clockFile,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    })
    const client = service.client()
    await smallStream(client, 'plain', {})
    s3.misbehave(MISBEHAVING)
    const ledger = new Ledger()
    const stop = new AbortController()
    const random = new SeededRandom(seed)
    const ledgers = new Map([['plain', ledger]])
    const options = {
      urls: [service.url],
      streamNames: ['plain'],
      connectionCount: 2,
      random,
      ledgers,
    }
    const sending = new Traffic(options).run(stop.signal)
    for (const jump of JUMPS) {
      await writeFile(clockFile, jump)
      await sleep(1_500)
      if (jump === '-3h') await service.kill().then(() => service.start())
    }
    stop.abort()
    await sending
    s3.misbehave(FAULT_FREE)

    const verdict = await judge(client, 'plain', ledger, () => s3Objects(s3.bucket('bucket-plain')))
    expect(verdict, `seed ${seed}`).toMatchObject({ findings: [], bookProblems: [] })
    const hours = s3Objects(s3.bucket('bucket-plain')).map(({ key }) => key.slice(0, 13))
    expect(new Set(hours).size, 'the jumps reached the names').toBeGreaterThan(1)
    client.close()
    await rm(folder, { recursive: true })
  },
)
