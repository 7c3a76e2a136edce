/**
 * Bugs that are planted from outside, around the engine's seams, to see that the simulation finds
 * them: a test that can't fail proves nothing.
 */
import type { BatchContents } from '../../src/batch-store.ts'
import type { Destination } from '../../src/destination.ts'
import type { FileSystem, OpenFile } from '../../src/embedded/file-system.ts'
import { ERROR_OUTPUT_KIND } from '../../src/error-output.ts'
import type { Manifest, OutputProgress } from '../../src/manifest.ts'
import { CHUNK_HEAD_BYTES, chunksOf, writeChunkHead } from '../../src/pipeline/processed-index.ts'
import type { ProcessedIndex } from '../../src/pipeline/processed-index.ts'
import { RecordSet } from '../../src/record-set.ts'
import type { StagedBatch } from '../../src/staging.ts'

/** What of the engine's surroundings a bug replaces. */
export interface PlantedBug {
  readonly fileSystem?: (real: FileSystem) => FileSystem
  readonly contents?: (real: BatchContents) => BatchContents
  readonly destination?: (real: Destination) => Destination
}

/** Of an exactly-once destination; or an error output was made up twice. */
const IN_BOTH_PLACES = /index-2.* is doubled: .*errors|^other bytes .*index-2\/errors/

/** What was staged can't be read when names are fixed by it. */
const DAMAGED = /is not delivered: parked, Cannot read what processors made/

/** A function was called though its result was staged. */
const RUN_AGAIN = /^run \d+ of batch .* came when run/

interface PlantedBugCase {
  readonly bug: PlantedBug
  /** What the oracle says of it. */
  readonly symptom: RegExp
}

export const PLANTED_BUGS: Readonly<Record<string, PlantedBugCase>> = {
  'acknowledged before the sync': {
    bug: { fileSystem: (real) => onFiles(real, withoutSync) },
    symptom: /^acknowledged record .* is lost/,
  },
  'no sync of directories': {
    bug: { fileSystem: (real) => override(real, { syncDirectory: () => Promise.resolve() }) },
    symptom: /^acknowledged record .* is lost/,
  },
  'names not frozen': { bug: { contents: withoutManifest }, symptom: /is doubled/ },
  'committed before delivery': {
    bug: { destination: withoutWaiting },
    symptom: /^acknowledged record .* is lost/,
  },
  'error output not frozen': { bug: { contents: withoutErrors }, symptom: IN_BOTH_PLACES },
  'error output thawed': {
    bug: {
      contents: (real) =>
        found(real, (manifest) => (hasErrors(manifest) ? thawed(manifest) : manifest)),
    },
    symptom: IN_BOTH_PLACES,
  },
  'unknown fate forgotten': {
    bug: {
      contents: (real) =>
        found(
          real,
          withProgress(({ unknown: _unknown, ...progress }) => progress),
        ),
    },
    symptom: IN_BOTH_PLACES,
  },
  'attempt under way forgotten': {
    bug: { contents: (real) => found(real, withFirstAttempt) },
    symptom: IN_BOTH_PLACES,
  },
  'thawed after an effect': {
    bug: {
      contents: (real) =>
        found(real, (manifest) => (isPending(manifest) ? thawed(manifest) : manifest)),
    },
    symptom: /is doubled/,
  },
  'progress not kept': {
    bug: {
      contents: (real) =>
        found(
          real,
          withProgress(() => undefined),
        ),
    },
    symptom: /was repeated by a process that had its answer/,
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
    bug: { contents: forgetful },
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

function withoutSync(file: OpenFile): OpenFile {
  return override(file, { datasync: () => Promise.resolve() })
}

/** Makes up the names anew at each attempt, from the stream as it is then. */
function withoutManifest(real: BatchContents): BatchContents {
  return override(real, {
    manifest: () => Promise.resolve(undefined),
    freeze: () => Promise.resolve(),
  })
}

/** Writes records to the error output without having decided for good that they go there. */
function withoutErrors(real: BatchContents): BatchContents {
  return override(real, {
    freeze: (batch, manifest) =>
      hasErrors(manifest) ? Promise.resolve() : real.freeze(batch, manifest),
  })
}

/** Takes a manifest that is found for another. */
function found(real: BatchContents, change: (manifest: Manifest) => Manifest): BatchContents {
  return override(real, {
    async manifest(batch) {
      const manifest = await real.manifest(batch)
      return manifest && change(manifest)
    },
  })
}

function hasErrors({ outputs }: Manifest): boolean {
  return outputs.some(({ kind }) => kind === ERROR_OUTPUT_KIND)
}

/** Attempts have been made, and left something. */
function isPending({ outputs }: Manifest): boolean {
  return outputs.some(({ progress }) => progress?.pending !== undefined)
}

function thawed(manifest: Manifest): Manifest {
  return { ...manifest, outputs: [], thawed: { attempts: 1 } }
}

/** @param change of the progress of each output that has any */
function withProgress(
  change: (progress: OutputProgress) => OutputProgress | undefined,
): (manifest: Manifest) => Manifest {
  return (manifest) => ({
    ...manifest,
    outputs: manifest.outputs.map(({ progress, ...output }) => {
      const changed = progress && change(progress)
      return changed === undefined ? output : { ...output, progress: changed }
    }),
  })
}

/** Takes the attempt that was under way when a process died for one that had no effect. */
function withFirstAttempt(manifest: Manifest): Manifest {
  const recordCount = manifest.outputs.reduce((sum, output) => sum + output.recordCount, 0)
  return {
    ...manifest,
    outputs: manifest.outputs.map((output) => {
      const { from, to } = output.range ?? { from: 0, to: recordCount }
      const pending = RecordSet.range(from, to).toString()
      return { progress: { attempts: 1, lastAttemptAtMs: 0, pending, refused: [] }, ...output }
    }),
  }
}

/** Says that it is delivered while it is on its way. */
function withoutWaiting(real: Destination): Destination {
  return override(real, {
    deliver(job) {
      real.deliver(job).catch(() => {})
      return Promise.resolve([])
    },
  })
}

function onFiles(fileSystem: FileSystem, change: (file: OpenFile) => OpenFile): FileSystem {
  return override(fileSystem, {
    open: async (path, mode) => change(await fileSystem.open(path, mode)),
  })
}

/** `real` with some methods replaced; the others keep their `this`. */
function override<Kind extends object>(real: Kind, methods: Partial<Kind>): Kind {
  return new Proxy(real, {
    get(target, name) {
      const own: unknown = Reflect.get(methods, name)
      if (own !== undefined) return own
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
