import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Shard } from './kinesis-service.ts'
import { ShardGraph } from './shard-graph.ts'

function shard(number: number, parents: readonly Shard[] = []): Shard {
  return {
    shardId: `shardId-${String(number).padStart(12, '0')}`,
    parents: parents.map(({ shardId }) => shardId),
    hashKeys: { first: 0n, last: 0n },
    isClosed: false,
  }
}

/** A stream's history: each number splits an open shard, or merges it with its neighbour. */
function resharded(acts: readonly number[]): Shard[] {
  const all = [shard(0), shard(1)]
  let open = [...all]
  for (const act of acts) {
    const at = act % open.length
    const merged = act % 2 === 1 && at + 1 < open.length
    const parents = open.slice(at, at + (merged ? 2 : 1))
    const children = merged
      ? [shard(all.length, parents)]
      : [shard(all.length, parents), shard(all.length + 1, parents)]
    all.push(...children)
    open = open.toSpliced(at, parents.length, ...children)
  }
  return all
}

function ids(shards: readonly Shard[]): string[] {
  return shards.map(({ shardId }) => shardId)
}

const [first, second] = resharded([])
const acts = fc.array(fc.nat(), { maxLength: 30 })

test('a shard is read once its parents are done, both of them', () => {
  const graph = new ShardGraph()
  const merged = shard(2, [first!, second!])
  graph.update([first!, second!, merged])
  expect(ids(graph.readable())).toEqual(ids([first!, second!]))
  graph.finish(first!.shardId)
  expect(ids(graph.readable())).toEqual(ids([second!]))
  graph.finish(second!.shardId)
  expect(ids(graph.readable())).toEqual(ids([merged]))
})

test('a shard whose parents are not kept any more has nothing to wait for', () => {
  const graph = new ShardGraph()
  const child = shard(2, [first!])
  graph.update([child])
  expect(ids(graph.readable())).toEqual(ids([child]))
})

test('children that are listed after their parent was read to its end are found', () => {
  const graph = new ShardGraph()
  graph.update([first!])
  graph.finish(first!.shardId)
  expect(graph.readable()).toEqual([])
  const child = shard(2, [first!])
  graph.update([first!, child])
  expect(ids(graph.readable())).toEqual(ids([child]))
})

test('whatever was split and merged, all shards are read, each once and after its parents', () => {
  fc.assert(
    fc.property(acts, fc.infiniteStream(fc.nat()), (history, choices) => {
      const shards = resharded(history)
      const graph = new ShardGraph()
      graph.update(shards)
      const read: string[] = []
      for (const choice of choices) {
        const readable = graph.readable()
        const next = readable[choice % readable.length]
        if (next === undefined) break
        expect(next.parents.filter((parent) => !read.includes(parent))).toEqual([])
        read.push(next.shardId)
        graph.finish(next.shardId)
      }
      expect(read.toSorted()).toEqual(ids(shards))
    }),
  )
})

test('shards that are not kept any more, however many, hold up nothing', () => {
  fc.assert(
    fc.property(acts, fc.nat(), (history, gone) => {
      const shards = resharded(history)
      const kept = shards.slice(gone % shards.length)
      const graph = new ShardGraph()
      graph.update(shards)
      graph.update(kept)
      const read: string[] = []
      for (let next = graph.readable()[0]; next; next = graph.readable()[0]) {
        read.push(next.shardId)
        graph.finish(next.shardId)
      }
      expect(read).toEqual(ids(kept))
      expect(graph.has(shards[0]!.shardId)).toBe(kept.length === shards.length)
    }),
  )
})
