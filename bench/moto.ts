import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { runLoad } from './load.ts'
import { cpuSeconds, memoryMiB } from './process-figures.ts'
import { ACCESS_KEY, freePort } from './service-under-test.ts'
import { rowOf } from './service-row.ts'
import type { Row } from './service-row.ts'

/** Where test/servers installs it. */
const MOTO = new URL('../.cache/moto/bin/moto_server', import.meta.url).pathname

/**
 * The moto server under the same load: it neither compresses, buffers, syncs nor verifies, and answers
 * when the object is in its memory. Undefined where it isn't installed.
 */
export async function measureMoto(recordCount: number): Promise<Row | undefined> {
  if (!existsSync(MOTO)) return undefined
  const port = await freePort()
  const moto = spawn(MOTO, ['-p', String(port)], { stdio: 'ignore' })
  try {
    await prepare(port)
    // Signed, for moto finds the service in the signature's scope; it verifies none.
    const plan = { port, streamNames: ['bench-0'], connectionCount: 8, accessKey: ACCESS_KEY }
    await runLoad({ ...plan, recordCount: 10_000 })
    const before = cpuSeconds(moto.pid ?? 0)
    const result = await runLoad({ ...plan, recordCount })
    const cpu = cpuSeconds(moto.pid ?? 0) - before
    const row = rowOf('moto server', result, result.seconds, cpu)
    return { ...row, memoryPeakMiB: memoryMiB(moto.pid ?? 0).peak }
  } finally {
    moto.kill('SIGKILL')
  }
}

async function prepare(port: number): Promise<void> {
  const url = `http://127.0.0.1:${port}/`
  while ((await fetch(`${url}moto-api/`).catch(() => undefined)) === undefined) await sleep(50)
  await fetch(`${url}bench`, { method: 'PUT', headers: authorization('s3') })
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      ...authorization('firehose'),
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'Firehose_20150804.CreateDeliveryStream',
    },
    body: JSON.stringify({
      DeliveryStreamName: 'bench-0',
      ExtendedS3DestinationConfiguration: {
        RoleARN: 'arn:aws:iam::000000000000:role/bench',
        BucketARN: 'arn:aws:s3:::bench',
      },
    }),
  })
  if (!answer.ok) throw new Error(`Cannot measure moto: ${answer.status} ${await answer.text()}`)
}

/** Moto reads the service from the scope and verifies nothing. */
function authorization(service: string): Record<string, string> {
  const credential = `Credential=bench/20261121/us-east-1/${service}/aws4_request`
  return { authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=host, Signature=0` }
}
