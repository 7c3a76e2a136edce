import { execFileSync, spawnSync } from 'node:child_process'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import * as fc from 'fast-check'
import { uncompress } from 'snappyjs'
import { describe, expect, test } from 'vitest'
import { ZstdCodec } from 'zstd-codec'
import type { ZstdCodecModule } from 'zstd-codec'
import { COMPRESSION_FORMATS, openCompressor } from './compression.ts'
import type { CompressionFormat } from './compression.ts'
import type { Compressor, Sink } from './compressor.ts'
import { GzipCompressor } from './gzip.ts'
import { ZipCompressor } from './zip.ts'
import { PackagedZstd } from './zstd.ts'

const ENTRY_NAME = '0b5c5d9e-7a3f-4b6e-9c1d-2f8a4e6b7c90'
const FORMATS = Object.keys(COMPRESSION_FORMATS) as CompressionFormat[]
const MIB = 1024 * 1024

const hasPython = spawnSync('python3', ['--version']).status === 0
if (!hasPython) console.warn('No python3: GZIP and ZIP are not read by an independent reader')

const zstdCodec = await new Promise<ZstdCodecModule>((resolve) => {
  ZstdCodec.run(resolve)
})

const DECODERS: Record<CompressionFormat, (object: Buffer) => Buffer> = {
  UNCOMPRESSED: (object) => object,
  GZIP: (object) => gunzipSync(object),
  ZIP: (object) => readZipByPython(object).content,
  Snappy: decodeXerialSnappy,
  HADOOP_SNAPPY: decodeHadoopSnappy,
  ZSTD: (object) => Buffer.from(new zstdCodec.Streaming().decompress(object) ?? []),
}

test.each(FORMATS)('%s comes back as it went in, however large', async (format) => {
  const inputs = [Buffer.alloc(0), Buffer.from('one record\n'), logLines(3 * MIB + 17), noise(MIB)]
  for (const input of inputs) {
    if (format === 'ZIP' && !hasPython) continue
    const object = await compressed(format, [input])
    expect(DECODERS[format](object).equals(input)).toBe(true)
  }
})

test.each(FORMATS)('%s does not depend on how the input is cut into writes', async (format) => {
  const input = logLines(700_000)
  const whole = await compressed(format, [input])
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: input.byteLength })), async (cuts) => {
      const object = await compressed(format, cutAt(input, cuts))
      expect(object.equals(whole)).toBe(true)
    }),
    { numRuns: 20 },
  )
})

test.each([
  ['GZIP', (sink: Sink) => new GzipCompressor(sink)],
  ['ZIP', (sink: Sink) => new ZipCompressor(ENTRY_NAME, sink)],
] as const)('a small %s is the same as one that was written bit by bit', async (format, open) => {
  for (const size of [0, 4, 300, 5_000, 256 * 1024 - 4]) {
    for (const input of [logLines(size), noise(size)]) {
      const streamed = await collected([input], open)
      expect((await compressed(format, [input])).equals(streamed)).toBe(true)
    }
  }
})

test('any input in any writes comes back, from formats with a reader in this process', async () => {
  const writes = fc.array(fc.uint8Array({ maxLength: 50_000, size: 'max' }), { maxLength: 12 })
  const formats = FORMATS.filter((format) => format !== 'ZIP')
  await fc.assert(
    fc.asyncProperty(writes, fc.constantFrom(...formats), async (writes, format) => {
      const object = await compressed(format, writes)
      expect(DECODERS[format](object).equals(Buffer.concat(writes))).toBe(true)
    }),
    { numRuns: 60 },
  )
})

test('output larger than every buffer is passed on piece by piece', async () => {
  const sizes: number[] = []
  const compressor = openCompressor('GZIP', { entryName: ENTRY_NAME }, (bytes) => {
    sizes.push(bytes.byteLength)
    return Promise.resolve()
  })
  await compressor.write(noise(MIB))
  const sizeBeforeFinish = sizes.reduce((sum, size) => sum + size, 0)
  await compressor.finish()
  expect(Math.max(...sizes)).toBeLessThanOrEqual(64 * 1024)
  expect(sizeBeforeFinish).toBeGreaterThan(MIB / 2)
})

describe('GZIP', () => {
  test('says nothing of when and where it was made', async () => {
    const object = await compressed('GZIP', [Buffer.from('record')])
    expect(object.subarray(0, 10).toString('hex')).toBe('1f8b08000000000000ff')
  })

  test.skipIf(!hasPython)('is read by Python', async () => {
    const input = logLines(MIB)
    const object = await compressed('GZIP', [input])
    const script =
      'import gzip,sys; sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))'
    expect(python(script, object).equals(input)).toBe(true)
  })
})

describe('ZIP', () => {
  test.skipIf(!hasPython)('holds one deflated entry of the given name and no time', async () => {
    const input = logLines(MIB)
    const { content, ...entry } = readZipByPython(await compressed('ZIP', [input]))
    expect(content.equals(input)).toBe(true)
    expect(entry).toEqual({
      names: [ENTRY_NAME],
      firstBadEntry: null,
      method: 8,
      time: [1980, 1, 1, 0, 0, 0],
    })
  })
})

describe('Snappy', () => {
  test('begins with the header of snappy-java, also when empty', async () => {
    const object = await compressed('Snappy', [])
    expect(object.toString('hex')).toBe('82534e41505059000000000100000001')
  })

  test('is cut into blocks of 32 KiB', async () => {
    const object = await compressed('Snappy', [logLines(80_000)])
    expect(xerialBlocks(object).map((block) => block.byteLength)).toEqual([32_768, 32_768, 14_464])
  })
})

describe('ZSTD', () => {
  test('carries its content size when the total is known', async () => {
    const input = logLines(MIB)
    const object = await compressed('ZSTD', [input], input.byteLength)
    // The one-shot decoder refuses frames that don't carry it.
    expect(Buffer.from(new zstdCodec.Simple().decompress(object) ?? []).equals(input)).toBe(true)
  })

  test('refuses a total that turns out wrong', async () => {
    await expect(compressed('ZSTD', [Buffer.from('record')], 7)).rejects.toThrow(
      'Src size is incorrect',
    )
    await expect(compressed('ZSTD', [Buffer.from('record')], 5)).rejects.toThrow(
      'Src size is incorrect',
    )
  })

  test('is made by the package where Node.js lacks it', async () => {
    const input = logLines(MIB)
    const object = await collected([input.subarray(0, 9), input.subarray(9)], (sink) => {
      return new PackagedZstd(sink)
    })
    expect(zstdDecompressSync(object).equals(input)).toBe(true)
  })
})

test.each(FORMATS)('%s reports the failure of its sink to the writer', async (format) => {
  const failure = new Error('Cannot write: disk is full')
  const compressor = openCompressor(format, { entryName: ENTRY_NAME }, () =>
    Promise.reject(failure),
  )
  async function run(): Promise<void> {
    for (let round = 0; round < 100; round += 1) await compressor.write(noise(MIB))
    await compressor.finish()
  }
  await expect(run()).rejects.toBe(failure)
})

test('ends and encodings are the ones of Firehose', () => {
  const table = FORMATS.map((format) => {
    const { fileExtension, contentEncoding } = COMPRESSION_FORMATS[format]
    return [format, fileExtension, contentEncoding]
  })
  expect(table).toEqual([
    ['UNCOMPRESSED', '', undefined],
    ['GZIP', '.gz', 'gzip'],
    ['ZIP', '.zip', 'zip'],
    ['Snappy', '.snappy', 'snappy-java'],
    ['HADOOP_SNAPPY', '.snappy', 'hadoop-snappy'],
    ['ZSTD', '.zst', 'zstd'],
  ])
})

function compressed(
  format: CompressionFormat,
  writes: readonly Uint8Array[],
  totalBytes?: number,
): Promise<Buffer> {
  const options = { entryName: ENTRY_NAME, ...(totalBytes === undefined ? {} : { totalBytes }) }
  return collected(writes, (sink) => openCompressor(format, options, sink))
}

async function collected(
  writes: readonly Uint8Array[],
  open: (sink: (bytes: Uint8Array) => Promise<void>) => Compressor,
): Promise<Buffer> {
  const pieces: Buffer[] = []
  const compressor = open((bytes) => {
    pieces.push(Buffer.from(bytes))
    return Promise.resolve()
  })
  for (const bytes of writes) {
    const reused = Buffer.from(bytes)
    await compressor.write(reused)
    reused.fill(0xaa)
  }
  await compressor.finish()
  return Buffer.concat(pieces)
}

function cutAt(input: Buffer, cuts: readonly number[]): Buffer[] {
  const edges = [0, ...cuts.toSorted((a, b) => a - b), input.byteLength]
  return edges.slice(1).map((edge, index) => input.subarray(edges[index], edge))
}

/** Compressible, and different all along. */
function logLines(sizeBytes: number): Buffer {
  const lines: string[] = []
  for (let index = 0, length = 0; length < sizeBytes; index += 1) {
    const line = `{"n":${index},"user":${(index * 7919) % 10_007},"path":"/items/${index % 97}"}\n`
    lines.push(line)
    length += line.length
  }
  return Buffer.from(lines.join('')).subarray(0, sizeBytes)
}

/** Not compressible. A xorshift generator, so that every run sees the same. */
function noise(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes)
  let state = 2_463_534_242
  for (let offset = 0; offset < sizeBytes; offset += 4) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes.writeInt32LE(state, offset)
  }
  return bytes
}

function xerialBlocks(object: Buffer): Buffer[] {
  expect(object.subarray(0, 16).toString('latin1')).toBe('\x82SNAPPY\0\0\0\0\x01\0\0\0\x01')
  const blocks: Buffer[] = []
  let offset = 16
  while (offset < object.byteLength) {
    const end = offset + 4 + object.readUInt32BE(offset)
    blocks.push(uncompress(object.subarray(offset + 4, end)))
    offset = end
  }
  expect(offset).toBe(object.byteLength)
  return blocks
}

function decodeXerialSnappy(object: Buffer): Buffer {
  return Buffer.concat(xerialBlocks(object))
}

function decodeHadoopSnappy(object: Buffer): Buffer {
  const blocks: Buffer[] = []
  let offset = 0
  while (offset < object.byteLength) {
    const rawBytes = object.readUInt32BE(offset)
    const end = offset + 8 + object.readUInt32BE(offset + 4)
    const block = uncompress(object.subarray(offset + 8, end))
    expect(block.byteLength).toBe(rawBytes)
    expect(rawBytes).toBeLessThanOrEqual(256 * 1024)
    blocks.push(block)
    offset = end
  }
  expect(offset).toBe(object.byteLength)
  return Buffer.concat(blocks)
}

interface ZipReading {
  readonly names: readonly string[]
  readonly firstBadEntry: string | null
  readonly method: number
  readonly time: readonly number[]
  readonly content: Buffer
}

function readZipByPython(object: Buffer): ZipReading {
  const script = `
import base64, io, json, sys, zipfile
archive = zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))
entry = archive.infolist()[0]
print(json.dumps({
  'names': archive.namelist(), 'firstBadEntry': archive.testzip(), 'method': entry.compress_type,
  'time': entry.date_time, 'content': base64.b64encode(archive.read(entry)).decode()}))`
  const reading = JSON.parse(python(script, object).toString()) as ZipReading & { content: string }
  return { ...reading, content: Buffer.from(reading.content, 'base64') }
}

function python(script: string, input: Buffer): Buffer {
  return execFileSync('python3', ['-c', script], { input, maxBuffer: 64 * MIB })
}
