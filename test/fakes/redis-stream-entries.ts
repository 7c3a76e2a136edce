/** Entries that are their numbers, and what tests of a source do to a stream and its group. */
import { expect } from 'vitest'
import type { RedisServer } from '../servers/redis.ts'
import { findRedis } from '../servers/redis.ts'
import { until } from '../servers/until.ts'
import { GROUP } from './redis-stream-source.ts'
import type { RunOptions } from './redis-stream-source.ts'
import type { FakeSourceHost } from './source-host.ts'

export const KEY = 'orders'
/** Entries `first`…`last`, with the ids `100-<number>` and their number as data. */
export async function add(
  server: RedisServer,
  first: number,
  last: number,
  key = KEY,
): Promise<void> {
  for (let number = first; number <= last; number += 1) {
    await server.call('XADD', key, `100-${number}`, 'data', String(number))
  }
}

export function numbers(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, index) => String(first + index))
}

export function reads(server: RedisServer, options: Partial<RunOptions> = {}): RunOptions {
  return {
    ...options,
    configuration: {
      RedisUrl: server.url,
      StreamKeys: [KEY],
      StartingPosition: 'TRIM_HORIZON',
      ...options.configuration,
    },
  }
}

export async function groupFact(server: RedisServer, name: string): Promise<unknown> {
  const groups = (await server.call('XINFO', 'GROUPS', KEY)) as unknown[][]
  const group = groups.find((facts) => facts[1] === GROUP) ?? []
  return group[group.indexOf(name) + 1]
}

/** Another consumer is given so many, and never heard of again. */
export async function giveToOther(server: RedisServer, count: number): Promise<void> {
  const who = ['GROUP', GROUP, 'other', 'COUNT', count]
  expect(await server.call('XREADGROUP', ...who, 'STREAMS', KEY, '>')).not.toBeNull()
}

export async function nothingPending(server: RedisServer): Promise<void> {
  await until('all is acknowledged', 5_000, async () =>
    (await groupFact(server, 'pending')) === 0 ? true : undefined,
  )
}

/** Holds what is appended next, until released. */
export function gate(host: FakeSourceHost): {
  readonly reached: Promise<void>
  release: () => void
} {
  const reached = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  host.beforeAppend = async () => {
    host.beforeAppend = () => {}
    reached.resolve()
    await released.promise
  }
  return { reached: reached.promise, release: released.resolve }
}

/** Those that can be had here. */
export async function findPrograms(): Promise<readonly ('redis' | 'valkey')[]> {
  const programs: ('redis' | 'valkey')[] = []
  for (const program of ['redis', 'valkey'] as const) {
    if ((await findRedis(program)) !== undefined) programs.push(program)
  }
  return programs
}
