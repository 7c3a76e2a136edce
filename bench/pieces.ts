/**
 * The pieces that a durable, compressing Firehose can't do without, each measured by itself on the
 * benchmark's own records, in microseconds of processor time a record. Their sum is the limit that the
 * service is compared with.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hash } from 'node:crypto'
import { constants, crc32, createGzip, createZstdCompress } from 'node:zlib'
import { runLoad } from './load.ts'
import { cpuSeconds, median } from './process-figures.ts'
import { logRecords, putBodies, RECORDS_PER_REQUEST } from './workload.ts'

export interface Pieces {
  readonly receive: number
  readonly hash: number
  readonly decode: number
  readonly checksum: number
  readonly write: number
  /** Reads it back from the file, and checks it. */
  readonly read: number
  readonly gzip: number
  readonly zstd: number
}

const RECORD_COUNT = 20_000
const ROUNDS = 3

/** As the service has them (src/formats). */
const GZIP_OPTIONS = { level: 5, memLevel: 9, chunkSize: 1 << 18 }
const ZSTD_OPTIONS = {
  chunkSize: 1 << 18,
  params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 },
}

export async function measurePieces(): Promise<Pieces> {
  const records = logRecords(RECORD_COUNT)
  const bodies = putBodies('bench', records)
  const chunks = chunksOf(records)
  return {
    receive: await receivePiece(),
    hash: await piece(() => bodies.forEach((body) => hash('sha256', body))),
    decode: await piece(() => bodies.forEach(decode)),
    checksum: await piece(() => chunks.forEach((chunk) => crc32(chunk))),
    write: await piece(() => writeChunks(chunks)),
    read: await readPiece(chunks),
    gzip: await piece(() => compress(chunks, () => createGzip(GZIP_OPTIONS))),
    zstd: await piece(() => compress(chunks, () => createZstdCompress(ZSTD_OPTIONS))),
  }
}

/** Median processor time of a task over the records, in µs a record. */
async function piece(task: () => unknown): Promise<number> {
  const rounds: number[] = []
  await task()
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.cpuUsage()
    await task()
    const { user, system } = process.cpuUsage(before)
    rounds.push((user + system) / RECORD_COUNT)
  }
  return median(rounds)
}

function chunksOf(records: readonly Buffer[]): Buffer[] {
  const chunks: Buffer[] = []
  for (let start = 0; start < records.length; start += RECORDS_PER_REQUEST) {
    chunks.push(Buffer.concat(records.slice(start, start + RECORDS_PER_REQUEST)))
  }
  return chunks
}

/** Finds and decodes the base64 texts without parsing the JSON around them. */
function decode(body: Buffer): Buffer {
  const data = Buffer.allocUnsafe(body.byteLength)
  const marker = Buffer.from('"Data":"')
  let written = 0
  for (let at = body.indexOf(marker); at >= 0; at = body.indexOf(marker, at)) {
    const start = at + marker.byteLength
    at = body.indexOf(0x22, start)
    written += data.write(body.toString('latin1', start, at), written, 'base64')
  }
  return data.subarray(0, written)
}

async function writeChunks(chunks: readonly Buffer[]): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'standpipe-bench-'))
  const file = await open(join(directory, 'pieces'), 'w')
  for (const chunk of chunks) {
    await file.write(chunk)
    await file.datasync()
  }
  await file.close()
  await rm(directory, { recursive: true })
}

async function readPiece(chunks: readonly Buffer[]): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'standpipe-bench-'))
  const path = join(directory, 'pieces')
  await writeFile(path, chunks)
  const into = Buffer.allocUnsafe(Math.max(...chunks.map(({ byteLength }) => byteLength)))
  const us = await piece(async () => {
    const file = await open(path, 'r')
    for (const { byteLength } of chunks) {
      await file.read(into, 0, byteLength)
      crc32(into.subarray(0, byteLength))
    }
    await file.close()
  })
  await rm(directory, { recursive: true })
  return us
}

async function compress(
  chunks: readonly Buffer[],
  make: () => NodeJS.ReadWriteStream,
): Promise<void> {
  const stream = make()
  stream.resume()
  for (const chunk of chunks) {
    if (!stream.write(chunk)) await once(stream, 'drain')
  }
  stream.end()
  await once(stream, 'end')
}

async function receivePiece(): Promise<number> {
  const server = spawn(process.execPath, [new URL('receive-server.ts', import.meta.url).pathname], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const [line] = (await once(server.stdout, 'data')) as [Buffer]
    const plan = {
      port: Number(line.toString()),
      streamNames: ['bench'],
      recordCount: 4 * RECORD_COUNT,
      connectionCount: 8,
    }
    await runLoad(plan)
    const before = cpuSeconds(server.pid ?? 0)
    await runLoad(plan)
    return ((cpuSeconds(server.pid ?? 0) - before) * 1e6) / plan.recordCount
  } finally {
    server.kill('SIGKILL')
  }
}
