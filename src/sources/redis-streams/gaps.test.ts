/** What went before it was read is told, and counted where that can be done. */
import { describe, expect, test } from 'vitest'
import { available } from '../../../test/clients/available.ts'
import {
  add,
  findPrograms,
  gate,
  giveToOther,
  KEY,
  nothingPending,
  numbers,
  reads,
} from '../../../test/fakes/redis-stream-entries.ts'
import { GROUP, SourceRun } from '../../../test/fakes/redis-stream-source.ts'
import { FakeTakeover } from '../../../test/fakes/source-host.ts'
import { startReplica } from '../../../test/servers/redis-replication.ts'
import { startRedis } from '../../../test/servers/redis.ts'
import type { RedisServer } from '../../../test/servers/redis.ts'
import { until } from '../../../test/servers/until.ts'

const programs = await findPrograms()
const isHere = available('Redis', programs.length > 0)

describe.runIf(isHere).each(programs)('%s', (program) => {
  const start = async (config: Record<string, string> = {}): Promise<RedisServer> =>
    (await startRedis({ program, config }))!

  test('entries that were trimmed while nobody read are a gap of so many', async () => {
    await using server = await start()
    const takeover = new FakeTakeover()
    await add(server, 1, 10)
    await using first = new SourceRun(reads(server, { takeover }))
    await first.untilCount(10)
    await nothingPending(server)
    await first.stop()
    await add(server, 11, 30)
    await server.call('XTRIM', KEY, 'MAXLEN', 5)
    await using second = new SourceRun(reads(server, { takeover }))
    await second.untilCount(15)
    expect(second.texts).toEqual([...numbers(1, 10), ...numbers(26, 30)])
    await second.stop()
    expect(second.host.gaps.map(({ lostCount }) => lostCount)).toEqual([15])

    await using third = new SourceRun(reads(server, { takeover }))
    await third.host.until(() => third.host.progressOf.has(KEY))
    await third.stop()
    expect(third.host.gaps, 'a gap is told once').toEqual([])
  })

  test('entries that went while they were waited for are a gap of so many', async () => {
    await using server = await start()
    await using run = new SourceRun(reads(server))
    await add(server, 1, 10)
    await run.untilCount(10)
    await nothingPending(server)
    const held = gate(run.host)
    await add(server, 11, 11)
    await held.reached
    await add(server, 12, 40)
    await server.call('XDEL', KEY, '100-35')
    await server.call('XTRIM', KEY, 'MINID', '100-31')
    held.release()
    await run.host.until(() => run.host.gaps.reduce((sum, gap) => sum + gap.lostCount!, 0) >= 20)
    await run.stop()
    expect(run.texts).toEqual([...numbers(1, 11), ...numbers(31, 34), ...numbers(36, 40)])
    expect(run.host.gaps.reduce((sum, { lostCount }) => sum + lostCount!, 0)).toBe(20)
  })

  test('entries that went after a reader got them, which then died, are a gap of so many', async () => {
    await using server = await start()
    await add(server, 1, 10)
    await server.call('XGROUP', 'CREATE', KEY, GROUP, '0')
    await giveToOther(server, 8)
    await server.call('XTRIM', KEY, 'MAXLEN', 4)
    const takeover = new FakeTakeover()
    takeover.positions.set(KEY, { sequence: 1, position: '100-3' })
    await using run = new SourceRun(reads(server, { takeover }))
    await run.untilCount(4)
    await nothingPending(server)
    await run.stop()
    expect(run.texts).toEqual(numbers(7, 10))
    expect(run.host.gaps.map(({ lostCount }) => lostCount)).toEqual([3])
  })

  test('a key that is deleted and made again is read on, and the gap is told', async () => {
    await using server = await start()
    await add(server, 1, 10)
    await using run = new SourceRun(reads(server))
    await run.untilCount(10)
    await nothingPending(server)
    await server.call('DEL', KEY)
    await server.call('XADD', KEY, '200-1', 'data', 'new')
    await run.untilCount(11)
    expect(run.texts.at(-1)).toBe('new')
    expect(run.host.gaps.map(({ lostCount }) => lostCount)).toEqual([undefined])
  })

  test('a key that was made again while nobody read is read, and the gap is told', async () => {
    await using server = await start()
    const takeover = new FakeTakeover()
    await add(server, 1, 10)
    await using first = new SourceRun(reads(server, { takeover }))
    await first.untilCount(10)
    await first.stop()
    await server.call('DEL', KEY)
    await server.call('XADD', KEY, '200-1', 'data', 'new')
    await using second = new SourceRun(reads(server, { takeover }))
    await second.untilCount(11)
    expect(second.texts.at(-1)).toBe('new')
    expect(second.host.gaps.map(({ lostCount }) => lostCount)).toEqual([undefined])
  })

  test('a replica that takes over with less is read on, and the gap is told', async () => {
    await using master = await start()
    await using replica = await startReplica(master, { program })
    const takeover = new FakeTakeover()
    await add(master, 1, 6)
    await using first = new SourceRun(reads(master, { takeover }))
    await first.untilCount(6)
    await until('the replica has them', 5_000, async () =>
      (await replica.call('XLEN', KEY)) === 6 ? true : undefined,
    )
    await replica.call('REPLICAOF', 'NO', 'ONE')
    await add(master, 7, 10)
    await first.untilCount(10)
    await first.stop()

    await add(replica, 7, 8)
    await using second = new SourceRun(reads(replica, { takeover }))
    await second.host.until(() => second.host.gaps.length > 0)
    await add(replica, 9, 12)
    await second.untilCount(12)
    await nothingPending(replica)
    await second.stop()
    expect(second.texts).toEqual(numbers(1, 12))
    expect(second.host.gaps).toEqual([
      { partition: KEY, lostCount: undefined, message: expect.stringContaining('up to 100-10') },
    ])
  })

  test('a replica whose entries have gone on beyond the position is a gap as well', async () => {
    await using master = await start()
    await using replica = await startReplica(master, { program })
    const takeover = new FakeTakeover()
    await add(master, 1, 10)
    await using first = new SourceRun(reads(master, { takeover }))
    await first.untilCount(10)
    await first.stop()
    await replica.call('REPLICAOF', 'NO', 'ONE')
    await replica.call('DEL', KEY)
    await replica.call('XGROUP', 'CREATE', KEY, GROUP, '0', 'MKSTREAM')
    for (const id of ['100-9', '100-11']) await replica.call('XADD', KEY, id, 'data', id)
    await using second = new SourceRun(reads(replica, { takeover }))
    await second.untilCount(11)
    await second.stop()
    expect(second.texts.at(-1)).toBe('100-11')
    expect(second.host.gaps.map(({ lostCount }) => lostCount)).toEqual([undefined])
  })

  test('a Redis that has forgotten only what the group was given has no gap', async () => {
    await using server = await start()
    const takeover = new FakeTakeover()
    await add(server, 1, 10)
    await using first = new SourceRun(reads(server, { takeover }))
    await first.untilCount(10)
    await first.stop()
    await server.call('XGROUP', 'SETID', KEY, GROUP, '100-4')
    await add(server, 11, 12)
    await using second = new SourceRun(reads(server, { takeover }))
    await second.untilCount(12)
    await second.stop()
    expect(second.texts).toEqual(numbers(1, 12))
    expect(second.host.gaps).toEqual([])
  })
})
