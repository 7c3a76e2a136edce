/**
 * Bugs that are planted from outside, around the engine's seams, to see that the simulation finds
 * them: a test that can't fail proves nothing.
 */
import type { BatchContents } from '../../src/batch-store.ts'
import type { Destination } from '../../src/destination.ts'
import type { FileSystem, OpenFile } from '../../src/embedded/file-system.ts'
import { ERROR_OUTPUT_KIND } from '../../src/error-output.ts'
import type { Manifest, OutputProgress } from '../../src/manifest.ts'
import { RecordSet } from '../../src/record-set.ts'
import { override, withoutSync } from './planted-bug.ts'
import type { PlantedBugCase } from './planted-bug.ts'
import { PROCESSING_BUGS } from './planted-processing-bugs.ts'

/** Of an exactly-once destination; or an error output was made up twice. */
const IN_BOTH_PLACES = /index-2.* is doubled: .*errors|^other bytes .*index-2\/errors/

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
  ...PROCESSING_BUGS,
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
