import { expect, test } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import type { Catalog } from '../catalog.ts'
import { CatalogConflict } from '../catalog.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import { StreamRegistry } from './stream-registry.ts'

const streamOf = (name: string, revision = 1, streamId = name): DeliveryStream =>
  ({ streamId, name, revision }) as DeliveryStream

const named = (streams: Iterable<DeliveryStream>): readonly string[] =>
  Array.from(streams, ({ name, revision }) => `${name} ${revision}`)

/** A catalog that others write to, whose answers wait where a test says so. */
class SharedCatalog {
  readonly streams = new Map<string, DeliveryStream>()
  readonly warnings: string[] = []
  /** What is read is on its way, and so are answers to writes, until this resolves. */
  arrival: Promise<void> = Promise.resolve()
  failing = false
  readonly watching = new AbortController()
  #changed: () => Promise<void> = () => Promise.resolve()

  async open(): Promise<StreamRegistry> {
    const registry = await StreamRegistry.open(this.#catalog() as Catalog)
    const warn = (_fields: object, message: string): void => void this.warnings.push(message)
    registry.follow({ ...silentLogger, warn }, this.watching.signal)
    return registry
  }

  put(...streams: readonly DeliveryStream[]): void {
    for (const stream of streams) this.streams.set(stream.streamId, stream)
  }

  /** Tells the registry that somebody else has changed something. */
  changed(): Promise<void> {
    return this.#changed()
  }

  /** @returns what lets arrive what is asked for from now on */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.arrival = promise
    return () => {
      this.arrival = Promise.resolve()
      resolve()
    }
  }

  #catalog(): Partial<Catalog> {
    return {
      streams: async () => {
        if (this.failing) throw new Error('connection lost')
        const read = [...this.streams.values()]
        await this.arrival
        return read
      },
      watchStreams: (changed, signal) => {
        this.#changed = changed
        signal.addEventListener('abort', () => (this.#changed = () => Promise.resolve()))
      },
      createStream: async (stream) => this.put(stream),
      replaceStream: async (stream) => {
        if (this.streams.get(stream.streamId)?.revision !== stream.revision)
          throw new CatalogConflict('Cannot change stream: it was changed or removed')
        const stored = { ...stream, revision: stream.revision + 1 }
        this.put(stored)
        await this.arrival
        return stored
      },
      deleteStream: async (streamId) => void this.streams.delete(streamId),
    }
  }
}

test('what others create, change and delete appears', async () => {
  const catalog = new SharedCatalog()
  catalog.put(streamOf('changed'), streamOf('deleted'), streamOf('same'))
  const registry = await catalog.open()
  catalog.put(streamOf('changed', 2), streamOf('created'))
  catalog.streams.delete('deleted')
  await catalog.changed()
  expect(named(registry.list())).toEqual(['changed 2', 'created 1', 'same 1'])
  expect([registry.find('deleted'), registry.byId('deleted')]).toEqual([undefined, undefined])
  expect(registry.byId('created')).toBe(registry.find('created'))
})

test('a stream that others deleted and made again under its name is the new one', async () => {
  const catalog = new SharedCatalog()
  catalog.put(streamOf('logs', 7, 'old'))
  const registry = await catalog.open()
  catalog.streams.clear()
  catalog.put(streamOf('logs', 1, 'new'))
  await catalog.changed()
  expect(registry.find('logs')?.streamId).toBe('new')
  expect(registry.byId('old')).toBe(undefined)
})

test.each<[string, (registry: StreamRegistry) => Promise<unknown>, readonly string[]]>([
  ['create', (registry) => registry.create(streamOf('mine')), ['logs 1', 'mine 1', 'other 1']],
  [
    'change',
    (registry) => registry.change('logs', (stream) => ({ ...stream, versionId: 2 })),
    ['logs 2', 'other 1'],
  ],
  ['deletion', (registry) => registry.delete('logs'), ['other 1']],
])('what was read before a %s made here is not used', async (_name, change, expected) => {
  const catalog = new SharedCatalog()
  catalog.put(streamOf('logs'))
  const registry = await catalog.open()
  catalog.put(streamOf('other'))
  const arrive = catalog.hold()
  const refreshed = catalog.changed()
  catalog.arrival = Promise.resolve()
  await change(registry)
  const mine = named(registry.list())
  arrive()
  await refreshed
  expect(mine).toEqual(expected.filter((name) => name !== 'other 1'))
  expect(named(registry.list())).toEqual(expected)
})

test.each<[string, (catalog: SharedCatalog) => unknown, readonly string[]]>([
  ['changed', (catalog) => catalog.put(streamOf('logs', 3)), ['logs 3']],
  ['deleted', (catalog) => catalog.streams.delete('logs'), []],
])('a stream that others %s before the answer to a change is as they left it', async (...row) => {
  const [, interfere, expected] = row
  const catalog = new SharedCatalog()
  catalog.put(streamOf('logs'))
  const registry = await catalog.open()
  const arrive = catalog.hold()
  const change = registry.change('logs', (stream) => ({ ...stream, versionId: 2 }))
  catalog.arrival = Promise.resolve()
  interfere(catalog)
  await catalog.changed()
  arrive()
  expect(await change).toMatchObject({ revision: 2, versionId: 2 })
  expect(named(registry.list())).toEqual(expected)
})

test('a change is made to what others have left, as often as it takes', async () => {
  const catalog = new SharedCatalog()
  catalog.put(streamOf('logs'))
  const registry = await catalog.open()
  catalog.put(streamOf('logs', 5), streamOf('other'))
  const seen: number[] = []
  await registry.change('logs', (stream) => {
    seen.push(stream.revision)
    return { ...stream, versionId: 2 }
  })
  expect(seen).toEqual([1, 5])
  expect(named(registry.list())).toEqual(['logs 6', 'other 1'])
})

test('a change that the catalog has lost since is forgotten, and the next one is made', async () => {
  const catalog = new SharedCatalog()
  catalog.put(streamOf('logs', 4))
  const registry = await catalog.open()
  await registry.change('logs', (stream) => ({ ...stream, versionId: 2 }))
  catalog.put(streamOf('logs', 4))
  await registry.change('logs', (stream) => ({ ...stream, versionId: 3 }))
  expect(registry.find('logs')).toMatchObject({ revision: 5, versionId: 3 })
})

test('a change of a stream that others have deleted is refused', async () => {
  const catalog = new SharedCatalog()
  catalog.put(streamOf('logs'))
  const registry = await catalog.open()
  catalog.streams.clear()
  const change = registry.change('logs', (stream) => ({ ...stream, versionId: 2 }))
  await expect(change).rejects.toThrow(CatalogConflict)
  expect(registry.list()).toEqual([])
})

test('of readings that overtake each other the latest holds', async () => {
  const catalog = new SharedCatalog()
  catalog.put(streamOf('logs'), streamOf('gone'))
  const registry = await catalog.open()
  const arrive = catalog.hold()
  const early = catalog.changed()
  catalog.arrival = Promise.resolve()
  catalog.streams.delete('gone')
  catalog.put(streamOf('logs', 2))
  await catalog.changed()
  arrive()
  await early
  expect(named(registry.list())).toEqual(['logs 2'])
})

test('a read that fails changes nothing and is told of, and the next one counts', async () => {
  const catalog = new SharedCatalog()
  catalog.put(streamOf('logs'))
  const registry = await catalog.open()
  catalog.put(streamOf('other'))
  catalog.failing = true
  await expect(catalog.changed()).rejects.toThrow('connection lost')
  expect(named(registry.list())).toEqual(['logs 1'])
  expect(catalog.warnings).toEqual(['What others have changed of the streams was not read yet.'])
  catalog.failing = false
  await catalog.changed()
  expect(named(registry.list())).toEqual(['logs 1', 'other 1'])
  expect(catalog.warnings).toHaveLength(1)
})

test('nothing is followed once the signal aborts', async () => {
  const catalog = new SharedCatalog()
  const registry = await catalog.open()
  catalog.watching.abort()
  catalog.put(streamOf('other'))
  await catalog.changed()
  expect(registry.list()).toEqual([])
})
