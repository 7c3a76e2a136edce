import type { BatchContents } from '../../src/batch-store.ts'
import type { Destination } from '../../src/destination.ts'
import type { FileSystem, OpenFile } from '../../src/embedded/file-system.ts'
import type { DeliveryHost } from '../../src/pipeline/delivery-host.ts'
import type { Processing } from '../../src/pipeline/processing.ts'

/** What of the engine's surroundings a bug replaces. */
export interface PlantedBug {
  readonly fileSystem?: (real: FileSystem) => FileSystem
  readonly contents?: (real: BatchContents) => BatchContents
  readonly destination?: (real: Destination) => Destination
  readonly host?: (real: DeliveryHost) => DeliveryHost
  readonly processing?: (real: Processing, contents: BatchContents) => Processing
}

export interface PlantedBugCase {
  readonly bug: PlantedBug
  /** What the oracle says of it. */
  readonly symptom: RegExp
}

/** `real` with some methods replaced; the others keep their `this`. */
export function override<Kind extends object>(real: Kind, methods: Partial<Kind>): Kind {
  return new Proxy(real, {
    get(target, name) {
      const own: unknown = Reflect.get(methods, name)
      if (own !== undefined) return own
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

export function withoutSync(file: OpenFile): OpenFile {
  return override(file, { datasync: () => Promise.resolve() })
}
