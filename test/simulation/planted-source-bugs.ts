/** What could be wrong with how a store takes over what a source has, and what the oracle says of it. */
import { StreamPositions } from '../../src/embedded/stream-positions.ts'
import { override, withoutSync } from './planted-bug.ts'
import type { SourceBug } from './source-world.ts'

export interface SourceBugCase {
  readonly bug: SourceBug
  readonly symptom: RegExp
}

const DOUBLED = /^record .* is doubled/
const LOST = /^record .* is lost/

export const SOURCE_BUGS: Readonly<Record<string, SourceBugCase>> = {
  'whoever appends is in turn': {
    bug: { plant: () => replaced('isNext', () => () => true) },
    symptom: DOUBLED,
  },
  'a position without its chunk': {
    bug: {
      fileSystem: (real) =>
        override(real, {
          async open(path, mode) {
            const file = await real.open(path, mode)
            return path.endsWith('.open') ? withoutSync(file) : file
          },
        }),
    },
    symptom: LOST,
  },
  'a position before its chunk': {
    bug: {
      plant: () =>
        replaced(
          'isNext',
          (isNext) =>
            function (this: StreamPositions, origin) {
              const isInTurn = isNext.call(this, origin)
              const { partition, sequence, position } = origin
              // Whether the group that it goes into is written or not; it is in turn until then.
              if (isInTurn)
                queueMicrotask(() => this.take({ partition, sequence, position, atMs: 0 }))
              return isInTurn
            },
        ),
    },
    symptom: LOST,
  },
  'positions never written down': {
    bug: { plant: () => replaced('log', () => () => Promise.resolve()) },
    symptom: DOUBLED,
  },
  'positions written down after the batch is named': {
    bug: {
      plant: () =>
        replaced(
          'log',
          (log) =>
            function (this: StreamPositions) {
              log.call(this).catch(() => {})
              return Promise.resolve()
            },
        ),
    },
    symptom: DOUBLED,
  },
  'recovery forgets origins': {
    bug: { plant: () => replaced('enter', () => () => Promise.resolve()) },
    symptom: DOUBLED,
  },
  'what can be read is taken to be durable': {
    bug: {
      plant: () =>
        replaced(
          'enter',
          (enter) =>
            async function (this: StreamPositions, positions) {
              await this.load()
              const known = new Map(this.all().map((each) => [each.partition, each.sequence]))
              const isNews = ({ partition, sequence }: { partition: string; sequence: number }) =>
                sequence > (known.get(partition) ?? 0)
              await enter.call(this, [...positions].filter(isNews))
            },
        ),
    },
    symptom: DOUBLED,
  },
  'what failed is taken to be gone': {
    bug: { plant: () => replaced('doubt', () => () => {}) },
    symptom: DOUBLED,
  },
}

type Method = 'isNext' | 'log' | 'enter' | 'doubt'

/** Replaces a method of all streams' positions; returns what puts it back. */
function replaced<Name extends Method>(
  name: Name,
  make: (real: StreamPositions[Name]) => StreamPositions[Name],
): () => void {
  const real = StreamPositions.prototype[name]
  Object.assign(StreamPositions.prototype, { [name]: make(real) })
  return () => {
    Object.assign(StreamPositions.prototype, { [name]: real })
  }
}
