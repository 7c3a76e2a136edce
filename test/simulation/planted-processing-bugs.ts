/** Planted bugs in how a batch is processed, and in how what came of it is kept and found again. */
import type { BatchContents } from '../../src/batch-store.ts'
import type { FileSystem } from '../../src/embedded/file-system.ts'
import { CHUNK_HEAD_BYTES, chunksOf, writeChunkHead } from '../../src/pipeline/processed-index.ts'
import type { ProcessedIndex } from '../../src/pipeline/processed-index.ts'
import type { Processing } from '../../src/pipeline/processing.ts'
import { RecordSet } from '../../src/record-set.ts'
import type { StagedBatch } from '../../src/staging.ts'
import { override, withoutSync } from './planted-bug.ts'
import type { PlantedBugCase } from './planted-bug.ts'

/** What was staged can't be read when names are fixed by it. */
const DAMAGED = /is not delivered: parked, Cannot read what processors made/

/** A function was called though its result was staged. */
const RUN_AGAIN = /^run \d+ of batch .* came when run/

export const PROCESSING_BUGS: Readonly<Record<string, PlantedBugCase>> = {
  'claims never lent': {
    bug: { host: (real) => override(real, { lend: () => Promise.resolve() }) },
    symptom: /kept its claim for/,
  },
  'staged result not durable': {
    bug: { fileSystem: withoutSyncOf(/\.staging$/) },
    symptom: DAMAGED,
  },
  'staged name not durable': {
    bug: { fileSystem: withoutRenameSync },
    symptom: RUN_AGAIN,
  },
  'unstaged before the end': {
    bug: {
      contents: (real) =>
        override(real, {
          async freeze(batch, manifest) {
            await real.freeze(batch, manifest)
            await real.unstage(batch)
          },
        }),
    },
    symptom: DAMAGED,
  },
  'processed again when frozen': {
    bug: { contents: forgetful },
    symptom: RUN_AGAIN,
  },
  'second result under the first names': {
    bug: { processing: processingAgain },
    symptom: /run \d+ is in .* as |which no run that counts has made/,
  },
  'failed lines dropped': {
    bug: {
      contents: (real) => indexed(real, (index) => ({ ...index, errors: withoutLines(index) })),
    },
    symptom: /is nowhere, though failed/,
  },
  'ordinals shifted after a drop': {
    bug: { contents: shifted },
    symptom: /^ordinal .* is not in documents/,
  },
  'partitions mixed up': {
    bug: {
      contents: (real) =>
        indexed(real, (index) => ({ ...index, partitions: withKeysOfOthers(index) })),
    },
    symptom: /, though its key is/,
  },
}

/** Leaves out the sync of files whose path is like that. */
function withoutSyncOf(path: RegExp): (real: FileSystem) => FileSystem {
  return (real) =>
    override(real, {
      async open(at, mode) {
        const file = await real.open(at, mode)
        return path.test(at) ? withoutSync(file) : file
      },
    })
}

/** Of the directory after a file was staged. */
function withoutRenameSync(real: FileSystem): FileSystem {
  let isStaging = false
  return override(real, {
    async rename(from, to) {
      await real.rename(from, to)
      isStaging = to.endsWith('.staged')
    },
    syncDirectory(path) {
      if (!isStaging) return real.syncDirectory(path)
      isStaging = false
      return Promise.resolve()
    },
  })
}

/** Takes nothing that an earlier process has staged for granted, fixed by names or not. */
function processingAgain(real: Processing, contents: BatchContents): Processing {
  const own = new Set<string>()
  return override(real, {
    async source(request) {
      const { batch } = request
      if (own.has(batch.batchId)) return real.source(request)
      own.add(batch.batchId)
      await contents.unstage(batch)
      return real.source({ ...request, frozen: undefined })
    },
  })
}

/** Takes what was staged by an earlier process for what was staged under another version. */
function forgetful(real: BatchContents): BatchContents {
  const own = new Set<string>()
  return override(real, {
    stage(batch) {
      own.add(batch.batchId)
      return real.stage(batch)
    },
    async staged(batch) {
      const staged = await real.staged(batch)
      if (staged === undefined || own.has(batch.batchId)) return staged
      return withIndex(staged, (index) => ({ ...index, versionId: 0 }))
    },
  })
}

/** Changes the index of what is found staged. */
function indexed(
  real: BatchContents,
  change: (index: ProcessedIndex) => ProcessedIndex,
): BatchContents {
  return override(real, {
    async staged(batch) {
      const staged = await real.staged(batch)
      return staged && withIndex(staged, change)
    },
  })
}

function withIndex(
  staged: StagedBatch,
  change: (index: ProcessedIndex) => ProcessedIndex,
): StagedBatch {
  const index = JSON.parse(staged.index.toString()) as ProcessedIndex
  return {
    index: Buffer.from(JSON.stringify(change(index))),
    blockCount: staged.blockCount,
    read: (block) => staged.read(block),
    close: () => staged.close(),
  }
}

function withoutLines({ errors }: ProcessedIndex): ProcessedIndex['errors'] {
  return errors.map((each) => ({ ...each, blocks: [] }))
}

function withKeysOfOthers({ partitions }: ProcessedIndex): ProcessedIndex['partitions'] {
  return partitions.map((partition, index) => ({
    ...partition,
    keys: partitions[(index + 1) % partitions.length]?.keys ?? partition.keys,
  }))
}

/** Closes the gap that the first record that was dropped has left. */
function shifted(real: BatchContents): BatchContents {
  return override(real, {
    async staged(batch) {
      const staged = await real.staged(batch)
      if (staged === undefined) return undefined
      const { summary } = JSON.parse(staged.index.toString()) as ProcessedIndex
      const [gap = Infinity] = RecordSet.parse(summary.dropped ?? '')
      return {
        index: staged.index,
        blockCount: staged.blockCount,
        read: async (block) => closingGap(await staged.read(block), gap),
        close: () => staged.close(),
      }
    },
  })
}

/** Of a block that may be one of error lines, which have no ordinals. */
function closingGap(block: Buffer, gap: number): Buffer {
  if (block[0] === '{'.charCodeAt(0)) return block
  const chunks = [...chunksOf(block)]
  let offset = 0
  for (const chunk of chunks) {
    const { firstOrdinal, payload } = chunk
    const before = { ...chunk, firstOrdinal: firstOrdinal - 1 }
    if (firstOrdinal > gap) writeChunkHead(block, offset, before, payload.byteLength)
    offset += CHUNK_HEAD_BYTES + payload.byteLength
  }
  return block
}
