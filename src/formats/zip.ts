/**
 * A ZIP file of one deflated entry (PKWARE APPNOTE 6.3), written in one pass: size and checksum
 * follow the data in a descriptor. All times are the DOS epoch, so that the file is the same
 * whenever and wherever it is made.
 *
 *   file:  local header | name | deflated data | data descriptor
 *          | central directory: header, name | end of central directory
 *
 * No ZIP64: neither the entry nor the file may exceed 4 GiB - 1, far beyond any buffer of Firehose's.
 */
import { strict as assert } from 'node:assert'
import type { Compressor, Sink } from './compressor.ts'
import { Deflate } from './deflate.ts'

const LOCAL_HEADER = 0x04034b50
const DATA_DESCRIPTOR = 0x08074b50
const CENTRAL_HEADER = 0x02014b50
const END_OF_CENTRAL_DIRECTORY = 0x06054b50

const VERSION_NEEDED = 20
/** Bit 3: sizes are in the data descriptor. Bit 11: the name is UTF-8. */
const FLAGS = 0x0808
const METHOD_DEFLATE = 8
const DOS_MIDNIGHT = 0
const DOS_1980_01_01 = 0x21
const UINT32_MAX = 2 ** 32 - 1

export class ZipCompressor implements Compressor {
  readonly #name: Buffer
  readonly #sink: Sink
  readonly #deflate: Deflate
  #started = false

  constructor(entryName: string, sink: Sink) {
    this.#name = Buffer.from(entryName)
    assert(this.#name.byteLength > 0 && this.#name.byteLength <= 0xffff, 'entry name length')
    this.#sink = sink
    this.#deflate = new Deflate(sink)
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#start()
    await this.#deflate.write(bytes)
  }

  async finish(): Promise<void> {
    await this.#start()
    await this.#deflate.finish()
    await this.#end()
  }

  async finishWith(bytes: Uint8Array): Promise<void> {
    await this.#start()
    await this.#deflate.finishWith(bytes)
    await this.#end()
  }

  async #end(): Promise<void> {
    const descriptor = this.#dataDescriptor()
    const directory = this.#centralDirectory()
    const directoryOffset =
      this.#localHeader().byteLength + this.#deflate.deflatedBytes + descriptor.byteLength
    if (Math.max(this.#deflate.rawBytes, directoryOffset) > UINT32_MAX) {
      throw new RangeError('Cannot write a ZIP file: it exceeds 4 GiB')
    }
    const end = endOfCentralDirectory(directory.byteLength, directoryOffset)
    await this.#sink(Buffer.concat([descriptor, directory, end]))
  }

  async #start(): Promise<void> {
    if (this.#started) return
    this.#started = true
    await this.#sink(this.#localHeader())
  }

  #localHeader(): Buffer {
    return record(
      30,
      [
        [LOCAL_HEADER, 4],
        [VERSION_NEEDED, 2],
        [FLAGS, 2],
        [METHOD_DEFLATE, 2],
        [DOS_MIDNIGHT, 2],
        [DOS_1980_01_01, 2],
        [0, 4], // checksum and both sizes: in the data descriptor
        [0, 4],
        [0, 4],
        [this.#name.byteLength, 2],
        [0, 2], // extra field
      ],
      this.#name,
    )
  }

  #dataDescriptor(): Buffer {
    return record(16, [
      [DATA_DESCRIPTOR, 4],
      [this.#deflate.crc32, 4],
      [this.#deflate.deflatedBytes, 4],
      [this.#deflate.rawBytes, 4],
    ])
  }

  #centralDirectory(): Buffer {
    return record(
      46,
      [
        [CENTRAL_HEADER, 4],
        [VERSION_NEEDED, 2], // made by: version 2.0, MS-DOS attributes
        [VERSION_NEEDED, 2],
        [FLAGS, 2],
        [METHOD_DEFLATE, 2],
        [DOS_MIDNIGHT, 2],
        [DOS_1980_01_01, 2],
        [this.#deflate.crc32, 4],
        [this.#deflate.deflatedBytes, 4],
        [this.#deflate.rawBytes, 4],
        [this.#name.byteLength, 2],
        [0, 2], // extra field
        [0, 2], // comment
        [0, 2], // disk
        [0, 2], // internal attributes
        [0, 4], // external attributes
        [0, 4], // offset of the local header
      ],
      this.#name,
    )
  }
}

function endOfCentralDirectory(directoryBytes: number, directoryOffset: number): Buffer {
  return record(22, [
    [END_OF_CENTRAL_DIRECTORY, 4],
    [0, 2], // this disk
    [0, 2], // disk of the directory
    [1, 2], // entries on this disk
    [1, 2], // entries
    [directoryBytes, 4],
    [directoryOffset, 4],
    [0, 2], // comment
  ])
}

/** Little-endian fields, each a value and its width in bytes, then `tail`. */
function record(
  sizeBytes: number,
  fields: readonly (readonly [value: number, widthBytes: number])[],
  tail: Buffer = Buffer.alloc(0),
): Buffer {
  const bytes = Buffer.alloc(sizeBytes)
  let offset = 0
  for (const [value, widthBytes] of fields) offset = bytes.writeUIntLE(value, offset, widthBytes)
  assert.equal(offset, sizeBytes)
  return Buffer.concat([bytes, tail])
}
