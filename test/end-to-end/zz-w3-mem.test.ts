import { readFile } from 'node:fs/promises'
import { test } from 'vitest'
import { FaultyS3 } from '../fakes/faulty-s3.ts'
import { SeededRandom } from '../fakes/seeded-random.ts'
import { s3Environment } from './streams.ts'
import { ProcessingService, processing, processor } from './processing-service.ts'
test('mem', async () => {
  const useS3 = process.env['MEM_FOLDER'] === undefined
  await using s3 = await FaultyS3.start(new SeededRandom(1))
  await using standpipe = await ProcessingService.start({}, useS3 ? { ...s3Environment(s3), STANDPIPE_S3_REQUEST_TIMEOUT_MS: '30000', NODE_OPTIONS: process.env['MEM_OPTIONS'] ?? '' } : {})
  await standpipe.createS3Stream('keys', {
    Prefix: 'data/!{partitionKeyFromQuery:customer}/',
    DynamicPartitioningConfiguration: { Enabled: true },
    ...processing(processor('MetadataExtraction', { MetadataExtractionQuery: process.env['MEM_PATHS'] ? '{customer: .number}' : '{customer: ("c" + (.number * 7 | tostring))}' })),
  })
  const rss = async (label: string) => {
    const status = await readFile(`/proc/${standpipe.service.pid}/status`, 'utf8')
    console.info(label, Math.round(performance.now()), /VmRSS:\s+(\d+)/.exec(status)?.[1], /VmHWM:\s+(\d+)/.exec(status)?.[1], s3.bucket('bucket-keys').versions.size)
  }
  await rss('idle')
  const records = Array.from({ length: 20000 }, (_, index) => JSON.stringify({ number: index % 10000, turn: 1 }))
  await standpipe.put('keys', records)
  await rss('put')
  while ((await standpipe.books('keys')).pending > 0) { await rss('pending'); await new Promise((r) => setTimeout(r, 300)) }
  await rss('done')
})
