/**
 * A destination in the manner of S3, small enough to read at a glance: a batch becomes one object of
 * its records as they are. The name depends on the stream's version, as Firehose's names do, so that
 * only the manifest keeps a repeat after an update from writing a second object.
 */
import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import { chunkData } from '../../src/chunk.ts'
import type {
  BufferingLimits,
  Destination,
  DestinationType,
  EncodeJob,
  OutputContent,
  Spool,
} from '../../src/destination.ts'
import type { ObjectStore } from '../../src/object-store.ts'

export const LINES = 'Lines'

interface Target {
  readonly bucket: string
  readonly key: string
}

/** @param buffering by the stored configuration's `Buffering` */
export const linesDestinationType: DestinationType = {
  name: LINES,
  metric: 'DeliveryToLines',
  configurationMembers: [],
  updateMembers: [],
  create: (_member, configuration) => configuration,
  update: (current) => current,
  describe: (stored) => stored,
  buffering: (stored) => stored['Buffering'] as unknown as BufferingLimits,
  open: ({ objectStore }) => linesDestination(objectStore),
}

function linesDestination(objectStore: ObjectStore): Destination {
  return {
    async encode(job) {
      const spool = job.openSpool()
      let recordCount = 0
      for await (const chunk of job.chunks) {
        recordCount += chunk.recordCount
        await spool.write(chunkData(chunk))
      }
      const content = await spool.finish()
      const target = { ...targetOf(job) }
      return [{ kind: 'object', target, accounting: 'delivered', recordCount, content }]
    },
    async deliver({ output, formerSha256s, signal }) {
      const { bucket, key } = output.target as unknown as Target
      const { content } = output
      const contentType = 'application/octet-stream'
      await objectStore.put({ bucket, key, content, contentType, formerSha256s }, signal)
    },
    close: () => Promise.resolve(),
  }
}

function targetOf({ frozen, stream, batch }: EncodeJob): Target {
  if (frozen !== undefined) {
    const [output] = frozen.outputs
    assert(output !== undefined && frozen.outputs.length === 1)
    return output.target as unknown as Target
  }
  const prefix = String(stream.destination['Prefix'])
  return { bucket: stream.streamId, key: `${prefix}${stream.versionId}-${batch.batchId}` }
}

export function memorySpool(): Spool {
  const parts: Buffer[] = []
  return {
    write(bytes) {
      parts.push(Buffer.from(bytes))
      return Promise.resolve()
    },
    finish: () => Promise.resolve(memoryContent(Buffer.concat(parts))),
  }
}

function memoryContent(bytes: Buffer): OutputContent {
  return {
    sizeBytes: bytes.byteLength,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    read: (start, end) => Promise.resolve(bytes.subarray(start, end)),
    dispose: () => Promise.resolve(),
  }
}
