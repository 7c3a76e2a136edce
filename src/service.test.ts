import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { until } from '../test/servers/until.ts'
import { systemClock } from './base/clock.ts'
import { silentLogger } from './base/logger.ts'
import { startService } from './service.ts'
import type { Service } from './service.ts'
import { chooseObjectStore, loadSettings } from './settings.ts'
import type { SourceHost, SourceType } from './source.ts'

/** What the source below has handed over for good, in order. */
const taken: string[] = []

vi.mock('./sources/index.ts', () => {
  const type: SourceType = {
    name: 'KinesisStreamAsSource',
    configurationMember: 'KinesisStreamSourceConfiguration',
    create: (configuration) => configuration,
    describe: (stored) => stored,
    open: () => Promise.resolve({ run: readOn }),
  }
  return { sourceTypes: new Map([[type.name, type]]) }
})

/** Reads one record after the other, without end. */
async function readOn(host: SourceHost, signal: AbortSignal): Promise<void> {
  const [partition] = await host.open(['shard-0'])
  while (!signal.aborted) {
    await host.admit(signal)
    const text = `record ${taken.length}`
    await partition?.append([{ data: Buffer.from(`${text}\n`), position: text }], signal)
    taken.push(text)
    host.progress('shard-0', { behindLatestMs: 1_000 })
    await sleep(2)
  }
}

async function start(dataDir: string): Promise<Service> {
  const { settings } = loadSettings({
    flags: { listen: '127.0.0.1:0', 'data-dir': dataDir, config: '/dev/null', workers: '1' },
    environment: {},
    workingDirectory: dataDir,
  })
  const stream = {
    DeliveryStreamName: 'logs',
    DeliveryStreamType: 'KinesisStreamAsSource',
    KinesisStreamSourceConfiguration: {
      KinesisStreamARN: 'arn:aws:kinesis:us-east-1:123456789012:stream/clicks',
      RoleARN: 'arn:aws:iam::123456789012:role/standpipe',
    },
    ExtendedS3DestinationConfiguration: {
      RoleARN: 'arn:aws:iam::123456789012:role/standpipe',
      BucketARN: 'arn:aws:s3:::logs',
    },
  }
  return await startService({
    settings: { ...settings, deliveryStreams: [stream] },
    role: 'all',
    objectStore: chooseObjectStore(settings, {}),
    clock: systemClock,
    logger: silentLogger,
  })
}

async function delivered(dataDir: string): Promise<string[]> {
  const entries = await readdir(dataDir, { recursive: true, withFileTypes: true })
  const objects = entries
    .filter((entry) => entry.isFile() && entry.parentPath.includes('buckets'))
    .map(({ parentPath, name }) => join(parentPath, name))
    .toSorted()
  const texts = await Promise.all(objects.map((path) => readFile(path, 'utf8')))
  return texts.join('').split('\n').slice(0, -1)
}

test('a source is read, told of, and stopped before the rest of it is delivered', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'standpipe-service-'))
  try {
    const service = await start(dataDir)
    await until('some records are read', 20_000, () =>
      Promise.resolve(taken.length > 20 || undefined),
    )
    const status = (await (await fetch(`${service.url}/streams/logs`)).json()) as object
    expect(status).toMatchObject({ Source: { State: 'reading' } })
    const metrics = await (await fetch(`${service.url}/metrics`)).text()
    expect(metrics).toContain('firehose_kinesis_millis_behind_latest{delivery_stream="logs"} 1000')
    expect(await service.drain()).toEqual({ cutShort: false, leftBatchCount: 0 })
    expect(await delivered(dataDir)).toEqual(taken)
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
})
