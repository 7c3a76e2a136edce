import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { runLoad } from './load.ts'
import { cpuSeconds, memoryMiB } from './process-figures.ts'
import { createStreams } from './service-row.ts'
import { freePort, ServiceUnderTest } from './service-under-test.ts'
import { meanRecordBytes } from './workload.ts'

export interface BacklogFigures {
  readonly storedGiB: number
  readonly startSeconds: number
  readonly memoryPeakMiB: number
  readonly emptyCpuSecondsPerMillion: number
  readonly fullCpuSecondsPerMillion: number
}

const GIB = 2 ** 30
const SAMPLE_RECORDS = 100_000

/**
 * Fills a backlog while S3 can't be reached, kills the service and starts it again: how long that
 * takes, how much memory the service ever had, and whether accepting costs more with the backlog.
 */
export async function measureBacklog(gibibytes: number): Promise<BacklogFigures> {
  const service = await ServiceUnderTest.create({
    STANDPIPE_S3_ENDPOINT: `http://127.0.0.1:${await freePort()}`,
    AWS_ACCESS_KEY_ID: 'nobody',
    AWS_SECRET_ACCESS_KEY: 'nothing',
  })
  try {
    await service.start()
    const streamNames = await createStreams(service, {
      compression: 'GZIP',
      streamCount: 1,
      objectMiB: 16,
    })
    const accept = async (recordCount: number): Promise<number> => {
      const before = cpuSeconds(service.pid)
      await runLoad({ port: service.port, streamNames, recordCount, connectionCount: 8 })
      return ((cpuSeconds(service.pid) - before) * 1e6) / recordCount
    }
    await accept(SAMPLE_RECORDS)
    const emptyCpuSecondsPerMillion = await accept(SAMPLE_RECORDS)
    await accept(Math.ceil((gibibytes * GIB) / meanRecordBytes()))
    const fullCpuSecondsPerMillion = await accept(SAMPLE_RECORDS)
    const peakBefore = memoryMiB(service.pid).peak
    await service.kill()
    const storedGiB = await diskUsageGiB(`${service.dataDir}/batches`)
    const startSeconds = await service.start()
    await sleep(3_000)
    const memoryPeakMiB = Math.max(peakBefore, memoryMiB(service.pid).peak)
    return {
      storedGiB,
      startSeconds,
      memoryPeakMiB,
      emptyCpuSecondsPerMillion,
      fullCpuSecondsPerMillion,
    }
  } finally {
    await service.remove()
  }
}

async function diskUsageGiB(directory: string): Promise<number> {
  const usage = spawn('du', ['-sk', directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(usage.stdout, 'data')) as [Buffer]
  return Number.parseInt(line.toString(), 10) / 2 ** 20
}
