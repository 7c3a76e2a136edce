/**
 * What it takes to read a source: by its client library alone, which throws away what it reads; by
 * Standpipe into its durable store, while nothing is delivered; and by Standpipe until all is in objects
 * in a local folder. All records are there before anybody reads. What the library needs is the limit;
 * what Standpipe needs beyond it to read is ours, and what comes on top is delivering.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { BareReader } from './bare-reader.ts'
import { booksOf, createStream, deleteStream } from './delivery-stream.ts'
import type { StreamBooks } from './delivery-stream.ts'
import { measureDrain } from './drain.ts'
import type { Drain } from './drain.ts'
import { descendants, memoryMiB } from './process-figures.ts'
import { ServiceUnderTest } from './service-under-test.ts'
import { post } from './signing.ts'
import { ROLE } from './sources/source-bench.ts'
import type { SourceBench, SourcePlan } from './sources/source-bench.ts'

export interface SourceRow extends Drain {
  readonly name: string
  readonly recordCount: number
  /** Of the library's own CPU. */
  readonly ratio: number
  readonly memoryPeakMiB: number
}

const WARM_UP = 'warm-up'
const MEASURED = 'bench'
const WARM_UP_RECORDS_MAX = 100_000
const OBJECT_MIB = 16
const POLL_MS = 50
/** Shards, keys and requests can have equal parts of as many. */
const RECORDS_STEP = 1_000

/** What of Standpipe is measured. */
const STAGES = [
  { name: 'read', compression: 'UNCOMPRESSED', delivers: false },
  { name: 'delivered', compression: 'UNCOMPRESSED', delivers: true },
  { name: 'delivered, gzip', compression: 'GZIP', delivers: true },
] as const
type Stage = (typeof STAGES)[number]

interface Counts {
  readonly warmUp: number
  readonly measured: number
}

/** @returns undefined where the server can't be had */
export async function measureSource(
  plan: SourcePlan,
  recordCountMax: number,
): Promise<SourceRow[] | undefined> {
  const before = new Set(descendants([process.pid]))
  await using bench = await plan.open()
  if (bench === undefined) return undefined
  const serverPids = descendants([process.pid]).filter((pid) => !before.has(pid))
  const measured = Math.min(plan.recordCountMax, roundUp(recordCountMax))
  const counts = { measured, warmUp: Math.min(measured, WARM_UP_RECORDS_MAX) }
  await bench.fill(WARM_UP, counts.warmUp)
  await bench.fill(MEASURED, counts.measured)
  const bare = await measureBare(plan, bench, serverPids, counts)
  const rows = [{ name: `${plan.name}: library alone`, ...bare }]
  for (const stage of STAGES) {
    const row = await measureStage(stage, bench, serverPids, counts)
    rows.push({ name: `${plan.name}: ${stage.name}`, ...row })
  }
  return rows.map((row) => ({ ...row, recordCount: measured, ratio: row.ownCpu / bare.ownCpu }))
}

type Figures = Drain & Pick<SourceRow, 'memoryPeakMiB'>

async function measureBare(
  { name: sourceName }: SourcePlan,
  { place }: SourceBench,
  serverPids: readonly number[],
  counts: Counts,
): Promise<Figures> {
  const reader = await BareReader.start({
    sourceName,
    place,
    warmUp: { name: WARM_UP, recordCount: counts.warmUp },
    measured: { name: MEASURED, recordCount: counts.measured },
  })
  try {
    const { pid } = reader
    const drain = await measureDrain([pid], serverPids, counts.measured, () => reader.read())
    return { ...drain, memoryPeakMiB: memoryMiB(pid).peak }
  } finally {
    reader.stop()
  }
}

async function measureStage(
  stage: Stage,
  bench: SourceBench,
  serverPids: readonly number[],
  counts: Counts,
): Promise<Figures> {
  const service = await ServiceUnderTest.create({
    ...bench.environment([WARM_UP, MEASURED]),
    // While nothing is delivered it is not to hold back the source.
    ...(!stage.delivers && { STANDPIPE_SOURCE_BACKLOG_BYTES: String(2 ** 40) }),
  })
  try {
    await service.start()
    await run(stage, bench, service.port, WARM_UP, counts.warmUp)
    await deleteStream(service.port, WARM_UP)
    const { pid, port } = service
    const drain = await measureDrain([pid], serverPids, counts.measured, () =>
      run(stage, bench, port, MEASURED, counts.measured),
    )
    return { ...drain, memoryPeakMiB: memoryMiB(pid).peak }
  } finally {
    await service.remove()
  }
}

async function run(
  { compression, delivers }: Stage,
  bench: SourceBench,
  port: number,
  name: string,
  recordCount: number,
): Promise<void> {
  await createStream(port, name, {
    ...bench.stream(name),
    ExtendedS3DestinationConfiguration: {
      RoleARN: ROLE,
      BucketARN: 'arn:aws:s3:::bench',
      BufferingHints: { SizeInMBs: OBJECT_MIB, IntervalInSeconds: 60 },
      CompressionFormat: compression,
    },
  })
  // Before its source is looked for, which is done twice a second.
  if (!delivers) await post(port, `/streams/${name}/pause`, undefined)
  await until(port, name, ({ accepted }) => accepted >= recordCount)
  if (delivers) {
    await post(port, `/streams/${name}/flush`, undefined)
    await until(port, name, ({ delivered }) => delivered >= recordCount)
  }
  const { accepted } = await booksOf(port, name)
  if (accepted !== recordCount) throw new Error(`Cannot measure: ${accepted} records accepted`)
}

async function until(
  port: number,
  name: string,
  isSo: (books: StreamBooks) => boolean,
): Promise<void> {
  while (!isSo(await booksOf(port, name))) await sleep(POLL_MS)
}

function roundUp(recordCount: number): number {
  return Math.ceil(recordCount / RECORDS_STEP) * RECORDS_STEP
}
