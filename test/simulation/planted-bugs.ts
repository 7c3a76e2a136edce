/**
 * Bugs that are planted from outside, around the engine's seams, to see that the simulation finds
 * them: a test that can't fail proves nothing.
 */
import type { BatchContents } from '../../src/batch-store.ts'
import type { Destination } from '../../src/destination.ts'
import type { FileSystem, OpenFile } from '../../src/embedded/file-system.ts'

/** What of the engine's surroundings a bug replaces. */
export interface PlantedBug {
  readonly fileSystem?: (real: FileSystem) => FileSystem
  readonly contents?: (real: BatchContents) => BatchContents
  readonly destination?: (real: Destination) => Destination
}

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
