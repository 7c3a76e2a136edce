/** Records of AWS's services, in the streams that docs/producers.md declares for them. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Firehose } from '@aws-sdk/client-firehose'
import { expect, test } from 'vitest'
import {
  cloudWatchLogs,
  cloudWatchLogsControlMessage,
  eventBridgeEvent,
  snsNotification,
} from '../producers/aws-payloads.ts'
import { Service } from './harness.ts'
import { decompressed, folderObjects } from './objects.ts'

const DOCUMENT = fileURLToPath(new URL('../../docs/producers.md', import.meta.url))

test('records of CloudWatch Logs, SNS and EventBridge arrive as lines', async () => {
  await using settings = await documentedSettings()
  await using service = await Service.start({ environment: { STANDPIPE_CONFIG: settings.path } })
  const firehose = new Firehose({
    endpoint: service.url,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
  })
  const put = async (DeliveryStreamName: string, data: string | Buffer): Promise<void> => {
    await firehose.putRecord({ DeliveryStreamName, Record: { Data: Buffer.from(data) } })
  }
  await put('cloudwatch-logs', cloudWatchLogsControlMessage())
  await put(
    'cloudwatch-logs',
    cloudWatchLogs(['START', 'a message\twith a tab', '{"level":"info"}']),
  )
  await put('cloudwatch-logs', cloudWatchLogs(['END']))
  await put('cloudwatch-logs', 'not gzip')

  const notifications = ['first', 'second'].map(snsNotification)
  const { FailedPutCount } = await firehose.putRecordBatch({
    DeliveryStreamName: 'sns',
    Records: notifications.map((notification) => ({ Data: Buffer.from(notification) })),
  })
  expect(FailedPutCount).toBe(0)

  const events = [{ order: 1 }, { order: 2 }].map(eventBridgeEvent)
  for (const event of events) await put('eventbridge', event)

  firehose.destroy()
  await service.terminate()
  const bucket = (name: string): string => join(service.dataDir, 'buckets', name)
  expect(await textOf(bucket('cloudwatch-logs'), 'messages/')).toBe(
    'START\na message\twith a tab\n{"level":"info"}\nEND\n',
  )
  const refused = await textOf(bucket('cloudwatch-logs'), 'errors/decompression-failed/')
  expect(JSON.parse(refused)).toMatchObject({ rawData: btoa('not gzip') })
  expect(await textOf(bucket('sns'), '')).toBe(notifications.join(''))
  expect(await textOf(bucket('eventbridge'), '')).toBe(events.join('\n'))
})

/** The first settings file of the document. */
async function documentedSettings(): Promise<{ path: string } & AsyncDisposable> {
  const [, yaml] =
    /```yaml\n(deliveryStreams:\n.*?)```/s.exec(await readFile(DOCUMENT, 'utf8')) ?? []
  if (yaml === undefined) throw new Error('Cannot read docs/producers.md: it declares no streams')
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-producers-'))
  const path = join(folder, 'standpipe.yaml')
  await writeFile(path, yaml)
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
}

async function textOf(folder: string, prefix: string): Promise<string> {
  const objects = await folderObjects(folder)
  const wanted = objects.filter(({ key }) => key.startsWith(prefix))
  return Buffer.concat(wanted.map(decompressed)).toString()
}
