import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { Firehose } from '@aws-sdk/client-firehose'
import { formatByteSize } from '../base/byte-size.ts'
import { systemClock } from '../base/clock.ts'
import { pinoLogger } from '../base/pino-logger.ts'
import { QUICKSTART_STREAM } from '../settings/quickstart.ts'
import { chooseObjectStore, loadSettings } from '../settings.ts'
import { openClient } from './client.ts'
import { CommandError, print, takePositionals } from './command.ts'
import type { Command } from './command.ts'
import { EXIT } from './exit-code.ts'
import { Progress } from './progress.ts'

const STREAM = 'demo'
const RECORD_COUNT = 1_000
const BATCH_RECORDS = 500
const BUFFER_SECONDS = 5
/** Long enough for a slow machine; a demo that hangs is worse than one that fails. */
const PATIENCE_MS = 30_000

export const demo: Command = {
  usage: 'demo [--keep]',
  summary: 'see it work: records in, objects out, in ten seconds',
  help: `Starts a service of its own on a free port with an empty data directory, makes a delivery stream,
sends ${RECORD_COUNT} records with the AWS SDK, waits for delivery and shows the objects.

  --keep   leave the data directory for a look`,
  options: { keep: { type: 'boolean' } },
  async run(invocation) {
    takePositionals(invocation, [])
    const dataDir = await mkdtemp(join(tmpdir(), 'standpipe-demo-'))
    try {
      await show(dataDir)
    } finally {
      if (invocation.flags['keep'] === true) print(`\nLeft in ${dataDir}`)
      else await rm(dataDir, { recursive: true })
    }
    return EXIT.ok
  },
}

async function show(dataDir: string): Promise<void> {
  const { settings } = loadSettings({
    flags: { listen: '127.0.0.1:0', 'data-dir': dataDir, config: '/dev/null' },
    environment: {},
    workingDirectory: dataDir,
  })
  const objectStore = chooseObjectStore(settings, {})
  const { startService } = await import('../service.ts')
  const logger = pinoLogger({ level: 'warn', format: 'text' })
  await using service = await startService({
    role: 'all',
    settings,
    objectStore,
    logger,
    clock: systemClock,
  })
  print(`Standpipe listens on ${service.url}`)
  const connection = {
    endpoint: service.url,
    region: settings.region,
    accessKeyId: 'demo',
    secretAccessKey: 'demo',
  }
  const { firehose } = await openClient(connection, settings)
  await createStream(firehose)
  await sendRecords(firehose)
  await showObjects(objectStore.place)
  await service.drain()
}

async function createStream(firehose: Firehose): Promise<void> {
  const { ExtendedS3DestinationConfiguration } = QUICKSTART_STREAM
  await firehose.createDeliveryStream({
    DeliveryStreamName: STREAM,
    ExtendedS3DestinationConfiguration: {
      ...ExtendedS3DestinationConfiguration,
      CompressionFormat: 'GZIP',
      ProcessingConfiguration: undefined,
      BucketARN: `arn:aws:s3:::${STREAM}`,
      Prefix: 'year=!{timestamp:yyyy}/month=!{timestamp:MM}/',
      ErrorOutputPrefix: 'errors/',
      BufferingHints: { SizeInMBs: 1, IntervalInSeconds: BUFFER_SECONDS },
    },
  })
  for (;;) {
    const answer = await firehose.describeDeliveryStream({ DeliveryStreamName: STREAM })
    if (answer.DeliveryStreamDescription?.DeliveryStreamStatus === 'ACTIVE') break
    await systemClock.sleep(50)
  }
  print(`Created the delivery stream ${STREAM}: GZIP, ${BUFFER_SECONDS} s buffer, bucket ${STREAM}`)
}

async function sendRecords(firehose: Firehose): Promise<void> {
  const startMs = systemClock.monotonicMs()
  const encoder = new TextEncoder()
  for (let first = 0; first < RECORD_COUNT; first += BATCH_RECORDS) {
    const Records = Array.from({ length: BATCH_RECORDS }, (_, index) => {
      const event = { id: first + index, path: '/shop/cart', status: 200, message: 'hello' }
      return { Data: encoder.encode(`${JSON.stringify(event)}\n`) }
    })
    const answer = await firehose.putRecordBatch({ DeliveryStreamName: STREAM, Records })
    if (answer.FailedPutCount !== 0) throw new CommandError('Cannot send: records were refused')
  }
  const tookMs = Math.round(systemClock.monotonicMs() - startMs)
  print(`Sent ${RECORD_COUNT} records with the AWS SDK in ${tookMs} ms; each is on disk already`)
}

async function showObjects(buckets: string): Promise<void> {
  const progress = new Progress(true, systemClock)
  const startMs = systemClock.monotonicMs()
  for (;;) {
    const lines = await deliveredLines(buckets)
    if (lines.length === RECORD_COUNT) {
      progress.end()
      await printTree(buckets)
      print(
        `\nThe first of ${lines.length} lines, decompressed:\n  ${lines.slice(0, 3).join('\n  ')}`,
      )
      return
    }
    const waitedMs = systemClock.monotonicMs() - startMs
    if (waitedMs > PATIENCE_MS) {
      progress.end()
      throw new CommandError(`Cannot show objects: none came within ${PATIENCE_MS / 1000} s`)
    }
    const seconds = Math.max(BUFFER_SECONDS - waitedMs / 1000, 0).toFixed(1)
    progress.show(`Waiting for the buffer's end, ${seconds} s …`)
    await systemClock.sleep(100)
  }
}

async function deliveredLines(buckets: string): Promise<string[]> {
  const lines: string[] = []
  for (const path of await objectPaths(buckets)) {
    lines.push(
      ...gunzipSync(await readFile(path))
        .toString()
        .trimEnd()
        .split('\n'),
    )
  }
  return lines
}

async function objectPaths(buckets: string): Promise<string[]> {
  const entries = await readdir(buckets, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      // The folder is made with the first object.
      if (error.code === 'ENOENT') return []
      throw error
    },
  )
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.gz'))
  return files.map((entry) => join(entry.parentPath, entry.name)).toSorted()
}

async function printTree(buckets: string): Promise<void> {
  print(`\n${buckets}`)
  let shown: readonly string[] = []
  for (const path of await objectPaths(buckets)) {
    const segments = path.slice(buckets.length + 1).split('/')
    const common = segments.findIndex((segment, depth) => segment !== shown[depth])
    for (const [depth, segment] of segments.entries()) {
      if (depth < common) continue
      const isObject = depth === segments.length - 1
      const size = isObject ? `  ${formatByteSize((await stat(path)).size)}` : '/'
      print(`${'  '.repeat(depth + 1)}${segment}${size}`)
    }
    shown = segments
  }
}
