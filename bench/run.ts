/**
 * `npm run bench`: tables of this machine, in this run: the pieces that can't be avoided, Standpipe
 * in its modes, the moto server where it is installed, and each destination before its server. Figures are processor time of the server's
 * whole process; the load generator, which shares the machine, isn't counted.
 *
 *   npm run bench                      all tables, about ten minutes
 *   npm run bench -- --records 100000  fewer records a row
 *   npm run bench -- --only gzip       rows whose name contains the word
 *   npm run bench -- --only processing           each kind of processing, against none
 *   npm run bench -- --only redis                the Redis backend, beside the embedded one
 *   npm run bench -- --only destinations         each destination before its server
 *   npm run bench -- --only destinations:splunk  one of them
 *   npm run bench -- --only sources              each source, beside its client library alone
 *   npm run bench -- --only sources:kafka        one of them
 *   npm run bench -- --only sources --records 1000000
 */
import { parseArgs } from 'node:util'
import { cpus } from 'node:os'
import { measurePieces } from './pieces.ts'
import type { Pieces } from './pieces.ts'
import { measureBacklog } from './backlog.ts'
import { DESTINATIONS, measureDestination } from './destination-rows.ts'
import type { DestinationRow } from './destination-rows.ts'
import type { Drain } from './drain.ts'
import { measureMoto } from './moto.ts'
import { measureProcessing } from './processing-rows.ts'
import { measureBackends, measureWorkers } from './redis-rows.ts'
import { measureService } from './service-row.ts'
import type { Row, ServicePlan } from './service-row.ts'
import { measureSource } from './source-rows.ts'
import { SOURCES } from './sources/index.ts'

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '400000' },
    only: { type: 'string', default: '' },
    'backlog-gib': { type: 'string', default: '2' },
  },
})
const recordCount = Number(values.records)
const only = values.only

const print = (line: string): void => void process.stdout.write(`${line}\n`)

const ONE_STREAM = { streamCount: 1, signed: false, objectMiB: 16 }
const MANY_STREAMS = { compression: 'GZIP', signed: false, objectMiB: 4 } as const
/** Enough for each of a thousand streams to fill a batch of 4 MiB. */
const RECORDS_A_STREAM_MIN = 4_000

const SERVICE_ROWS: readonly ServicePlan[] = [
  { ...ONE_STREAM, name: 'gzip', compression: 'GZIP' },
  { ...ONE_STREAM, name: 'gzip, SigV4', compression: 'GZIP', signed: true },
  { ...ONE_STREAM, name: 'zstd', compression: 'ZSTD' },
  { ...ONE_STREAM, name: 'zstd, SigV4', compression: 'ZSTD', signed: true },
  { ...ONE_STREAM, name: 'none', compression: 'UNCOMPRESSED' },
  { ...MANY_STREAMS, name: 'streams: 1', streamCount: 1 },
  { ...MANY_STREAMS, name: 'streams: 10', streamCount: 10 },
  { ...MANY_STREAMS, name: 'streams: 100', streamCount: 100 },
  { ...MANY_STREAMS, name: 'streams: 1000', streamCount: 1_000 },
]

const chosen = (name: string): boolean => name.includes(only)

print(
  `${new Date().toISOString()}, ${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}`,
)
print('')

await printServices()
if (chosen('moto')) {
  const moto = await measureMoto(Math.min(recordCount, 100_000))
  if (moto === undefined) print('moto: not installed (see test/servers), left out')
  else printRow(moto, undefined)
}
if (chosen('backlog')) await printBacklog(Number(values['backlog-gib']))
await printProcessing()
if (chosen('redis')) await printRedis()
await printDestinations()
await printSources()

async function printRedis(): Promise<void> {
  print('')
  print(
    '| backend | records/s accepted | records/s delivered | CPU-s/M | ratio | CPU-s/M of Redis | RSS MiB |',
  )
  print('|---|---|---|---|---|---|---|')
  for (const compression of ['GZIP', 'ZSTD'] as const) {
    for (const row of (await measureBackends(compression, recordCount)) ?? []) {
      const { name, acceptedPerSecond, deliveredPerSecond, memoryPeakMiB } = row
      const rates = [acceptedPerSecond, deliveredPerSecond].map((rate) => rate.toFixed(0))
      const costs = [row.cpuSecondsPerMillion, row.ratio, row.redisCpuSecondsPerMillion]
      const cells = [
        name,
        ...rates,
        ...costs.map((cost) => cost.toFixed(2)),
        memoryPeakMiB.toFixed(0),
      ]
      print(`| ${cells.join(' | ')} |`)
    }
  }
  print('')
  print('| workers | records/s delivered | CPU-s/M | CPU-s/M of Redis | idle |')
  print('|---|---|---|---|---|')
  const rows = await measureWorkers([1, 2, 4], recordCount)
  if (rows === undefined) print('LEFT OUT: no Redis or no S3 server could be had')
  for (const { workerCount, deliveredPerSecond, idleShare, ...costs } of rows ?? []) {
    const { cpuSecondsPerMillion, redisCpuSecondsPerMillion } = costs
    const figures = [cpuSecondsPerMillion, redisCpuSecondsPerMillion].map((cost) => cost.toFixed(2))
    const cells = [workerCount, deliveredPerSecond.toFixed(0), ...figures]
    print(`| ${cells.join(' | ')} | ${(idleShare * 100).toFixed(0)} % |`)
  }
}

async function printProcessing(): Promise<void> {
  const isChosen = (name: string): boolean => chosen(`processing: ${name}`)
  if (!isChosen('') && !only.startsWith('processing')) return
  print('')
  print(
    '| what | records/s accepted | records/s delivered | CPU-s/M | of none | ratio | p50 ms | p99 ms | RSS MiB |',
  )
  print('|---|---|---|---|---|---|---|---|---|')
  await measureProcessing(isChosen, recordCount, printRow)
}

async function printServices(): Promise<void> {
  const plans = SERVICE_ROWS.filter(({ name }) => chosen(name))
  if (plans.length === 0 && !chosen('moto')) return
  const pieces = await measurePieces()
  printPieces(pieces)
  print(
    '| what | records/s accepted | records/s delivered | CPU-s/M | of its pieces | ratio | p50 ms | p99 ms | RSS MiB |',
  )
  print('|---|---|---|---|---|---|---|---|---|')
  for (const plan of plans) {
    const rowRecords = Math.max(recordCount, plan.streamCount * RECORDS_A_STREAM_MIN)
    const row = await measureService(plan, rowRecords)
    printRow(row, row.cpuSecondsPerMillion / sumOf(pieces, plan))
  }
}

function sumOf(parts: Pieces, { compression, signed }: ServicePlan): number {
  const codec = { GZIP: parts.gzip, ZSTD: parts.zstd, UNCOMPRESSED: 0 }[compression]
  const common = parts.receive + parts.decode + parts.checksum + parts.write + parts.read
  return common + codec + (signed ? parts.hash : 0)
}

function printPieces(parts: Pieces): void {
  const cells = Object.entries(parts).map(([name, us]) => `${name} ${us.toFixed(2)}`)
  print(`Pieces, µs of processor time a record: ${cells.join(', ')}`)
  print('')
}

function printRow(row: Row, share: number | undefined): void {
  const cells = [
    row.name,
    row.acceptedPerSecond.toFixed(0),
    row.deliveredPerSecond.toFixed(0),
    row.cpuSecondsPerMillion.toFixed(1),
    share?.toFixed(2) ?? '-',
    row.compressionRatio === undefined ? '-' : row.compressionRatio.toFixed(2),
    row.p50Ms.toFixed(0),
    row.p99Ms.toFixed(0),
    row.memoryPeakMiB.toFixed(0),
  ]
  print(`| ${cells.join(' | ')} |`)
}

async function printBacklog(gibibytes: number): Promise<void> {
  const backlog = await measureBacklog(gibibytes)
  print('')
  print(`Backlog of ${backlog.storedGiB.toFixed(1)} GiB with a destination that does not answer:`)
  print(`- ready after kill -9 in ${backlog.startSeconds.toFixed(2)} s`)
  print(`- RSS at most ${backlog.memoryPeakMiB.toFixed(0)} MiB`)
  print(
    `- CPU-s/M of accepting: ${backlog.emptyCpuSecondsPerMillion.toFixed(1)} without backlog, ` +
      `${backlog.fullCpuSecondsPerMillion.toFixed(1)} with it`,
  )
}

async function printDestinations(): Promise<void> {
  const plans = DESTINATIONS.filter(({ name }) => chosen(`destinations:${name.toLowerCase()}`))
  if (plans.length === 0) return
  print('')
  print(
    '| destination | records/s | bare | ratio | CPU-s/M ours | bare client | server | bare | idle | limit |',
  )
  print('|---|---|---|---|---|---|---|---|---|---|')
  for (const plan of plans) {
    const row = await measureDestination(plan, recordCount)
    if (row === undefined) print(`${plan.name}: LEFT OUT, for it takes ${plan.needs}`)
    else printDestination(row)
  }
}

function printDestination({ name, standpipe, bare, limit }: DestinationRow): void {
  const serverCpu = (drain: Drain): string => drain.serverCpu?.toFixed(1) ?? '-'
  const cells = [
    name,
    standpipe.recordsPerSecond.toFixed(0),
    bare.recordsPerSecond.toFixed(0),
    (standpipe.recordsPerSecond / bare.recordsPerSecond).toFixed(2),
    standpipe.ownCpu.toFixed(1),
    bare.ownCpu.toFixed(1),
    serverCpu(standpipe),
    serverCpu(bare),
    `${(standpipe.idleShare * 100).toFixed(0)} %`,
    limit,
  ]
  print(`| ${cells.join(' | ')} |`)
}

async function printSources(): Promise<void> {
  // A word alone, such as redis, means other rows.
  if (only !== '' && !only.startsWith('sources')) return
  const plans = SOURCES.filter(({ name }) => chosen(`sources:${name.toLowerCase()}`))
  print('')
  print('| source | records | records/s | CPU-s/M | ratio | CPU-s/M of server | idle | RSS MiB |')
  print('|---|---|---|---|---|---|---|---|')
  for (const plan of plans) {
    const rows = await measureSource(plan, recordCount)
    if (rows === undefined) print(`${plan.name}: LEFT OUT, for it takes ${plan.needs}`)
    for (const row of rows ?? []) {
      const cells = [
        row.name,
        row.recordCount,
        row.recordsPerSecond.toFixed(0),
        row.ownCpu.toFixed(1),
        row.ratio.toFixed(2),
        row.serverCpu?.toFixed(1) ?? '-',
        `${(row.idleShare * 100).toFixed(0)} %`,
        row.memoryPeakMiB.toFixed(0),
      ]
      print(`| ${cells.join(' | ')} |`)
    }
  }
}
