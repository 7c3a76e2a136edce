/** The source against real servers: each entry once, in order, whatever happens to the group. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { available } from '../../../test/clients/available.ts'
import {
  add,
  findPrograms,
  gate,
  giveToOther,
  groupFact,
  KEY,
  nothingPending,
  numbers,
  reads,
} from '../../../test/fakes/redis-stream-entries.ts'
import { GROUP, SourceRun } from '../../../test/fakes/redis-stream-source.ts'
import { FakeTakeover } from '../../../test/fakes/source-host.ts'
import type { FakeSourceHost } from '../../../test/fakes/source-host.ts'
import { startRedis } from '../../../test/servers/redis.ts'
import type { RedisServer } from '../../../test/servers/redis.ts'

const MEBIBYTE = 2 ** 20
const programs = await findPrograms()
const isHere = available('Redis', programs.length > 0)

describe.runIf(isHere).each(programs)('%s', (program) => {
  const start = async (config: Record<string, string> = {}): Promise<RedisServer> =>
    (await startRedis({ program, config }))!

  test('entries are read from the beginning, and while they come, and acknowledged', async () => {
    await using server = await start()
    await add(server, 1, 2_000)
    await using run = new SourceRun(reads(server))
    await run.untilCount(2_000)
    await add(server, 2_001, 2_010)
    await run.untilCount(2_010)
    await nothingPending(server)
    await run.stop()
    expect(run.texts).toEqual(numbers(1, 2_010))
    expect(run.host.gaps).toEqual([])
    expect(run.host.failures).toEqual([])
  })

  test('what was added before the start is not read; the key need not be there', async () => {
    await using server = await start()
    await server.call('XADD', KEY, '1699999999999-7', 'data', 'before')
    await server.call('XADD', KEY, '1700000000000-0', 'data', 'at once')
    const configuration = { StreamKeys: [KEY, 'later'], StartingPosition: 'LATEST' }
    await using run = new SourceRun(reads(server, { configuration }))
    await run.host.until(() => run.host.progressOf.size === 2)
    await server.call('XADD', 'later', '*', 'data', 'later')
    await run.untilCount(2)
    expect(run.texts).toEqual(['at once', 'later'])
  })

  test('a source that is run anew goes on where it was', async () => {
    await using server = await start()
    const takeover = new FakeTakeover()
    await add(server, 1, 50)
    await using first = new SourceRun(reads(server, { takeover }))
    await first.untilCount(50)
    await first.stop()
    await add(server, 51, 100)
    await using second = new SourceRun(reads(server, { takeover }))
    await second.untilCount(100)
    expect(second.texts).toEqual(numbers(1, 100))
    expect(second.host.gaps).toEqual([])
  })

  test('a source that died before it acknowledged, or before it appended, is gone on for', async () => {
    await using server = await start()
    await add(server, 1, 20)
    await server.call('XGROUP', 'CREATE', KEY, GROUP, '0')
    await giveToOther(server, 10)
    const takeover = new FakeTakeover()
    takeover.positions.set(KEY, { sequence: 3, position: '100-4' })
    await using run = new SourceRun(reads(server, { takeover }))
    await run.untilCount(16)
    await nothingPending(server)
    await run.stop()
    expect(run.texts).toEqual(numbers(5, 20))
    const consumers = (await server.call('XINFO', 'CONSUMERS', KEY, GROUP)) as unknown[][]
    expect(consumers.map((facts) => facts[1])).not.toContain('other')
    expect(run.host.gaps).toEqual([])
  })

  test('a group that was there before is gone on with, also behind the start', async () => {
    await using server = await start()
    await add(server, 1, 10)
    await server.call('XGROUP', 'CREATE', KEY, GROUP, '0')
    await giveToOther(server, 6)
    await server.call('XACK', KEY, GROUP, '100-1', '100-2', '100-4')
    await using run = new SourceRun(
      reads(server, { configuration: { StartingPosition: 'LATEST' } }),
    )
    await run.untilCount(7)
    await nothingPending(server)
    expect(run.texts).toEqual(['3', '5', '6', ...numbers(7, 10)])
  })

  test('what a reader of former times is given out of turn is not left out', async () => {
    await using server = await start()
    await add(server, 1, 1)
    let held!: ReturnType<typeof gate>
    await using run = new SourceRun(reads(server, { prepare: (host) => (held = gate(host)) }))
    await held.reached
    await add(server, 2, 5)
    await giveToOther(server, 3)
    held.release()
    await run.untilCount(5)
    await nothingPending(server)
    expect(run.texts).toEqual(numbers(1, 5))
  })

  test('two that read the same key at once take each entry over once', async () => {
    await using server = await start()
    const takeover = new FakeTakeover()
    const careless = (host: FakeSourceHost): void => {
      host.renewLeases = (partitions) => Promise.resolve(partitions)
    }
    await using one = new SourceRun(reads(server, { takeover, prepare: careless }))
    await using other = new SourceRun(reads(server, { takeover, prepare: careless }))
    await add(server, 1, 500)
    await one.untilCount(500)
    await nothingPending(server)
    await one.stop()
    await other.stop()
    expect(one.texts).toEqual(numbers(1, 500))
    expect([...one.host.gaps, ...other.host.gaps]).toEqual([])
  })

  test('several share the keys, and one goes on when another has stopped', async () => {
    await using server = await start()
    const takeover = new FakeTakeover()
    const configuration = { StreamKeys: ['a', 'b', 'c', 'd'] }
    await using one = new SourceRun(reads(server, { takeover, configuration }))
    await using other = new SourceRun(reads(server, { takeover, configuration }))
    await Promise.all([one, other].map(({ host }) => host.until(() => host.progressOf.size === 2)))
    for (const key of configuration.StreamKeys) await add(server, 1, 10, key)
    await Promise.all([one.untilCount(40), other.host.until(() => true)])
    await one.stop()
    await other.host.until(() => other.host.progressOf.size === 4)
    for (const key of configuration.StreamKeys) await add(server, 11, 20, key)
    await other.untilCount(80)
    for (const key of configuration.StreamKeys) {
      const texts = other.host.records.filter(({ partition }) => partition === key)
      expect(texts.map(({ data }) => data.toString())).toEqual(numbers(1, 20))
    }
  })

  test('a group that is destroyed, or set elsewhere, loses nothing and doubles nothing', async () => {
    await using server = await start()
    await add(server, 1, 10)
    await using run = new SourceRun(reads(server))
    await run.untilCount(10)
    await server.call('XGROUP', 'DESTROY', KEY, GROUP)
    await add(server, 11, 20)
    await run.untilCount(20)
    await server.call('XGROUP', 'SETID', KEY, GROUP, '0')
    await add(server, 21, 30)
    await run.untilCount(30)
    const held = gate(run.host)
    await add(server, 31, 31)
    await held.reached
    await add(server, 32, 40)
    await server.call('XGROUP', 'SETID', KEY, GROUP, '100-36')
    held.release()
    await run.untilCount(40)
    await nothingPending(server)
    await run.stop()
    expect(run.texts).toEqual(numbers(1, 40))
    expect(run.host.gaps).toEqual([])
  })

  test('a group that is set past entries while nobody reads loses none of them', async () => {
    await using server = await start()
    const takeover = new FakeTakeover()
    await add(server, 1, 5)
    await using first = new SourceRun(reads(server, { takeover }))
    await first.untilCount(5)
    await first.stop()
    await add(server, 6, 20)
    await server.call('XGROUP', 'SETID', KEY, GROUP, '$')
    await using second = new SourceRun(reads(server, { takeover }))
    await second.untilCount(20)
    await second.stop()
    expect(second.texts).toEqual(numbers(1, 20))
  })

  test('a group that is set beyond the end is set back, also while nobody reads', async () => {
    await using server = await start()
    const takeover = new FakeTakeover()
    await add(server, 1, 5)
    await using first = new SourceRun(reads(server, { takeover }))
    await first.untilCount(5)
    await server.call('XGROUP', 'SETID', KEY, GROUP, '100-50')
    await add(server, 6, 10)
    await first.untilCount(10)
    await first.stop()
    await server.call('XGROUP', 'SETID', KEY, GROUP, '100-50')
    await add(server, 11, 15)
    await using second = new SourceRun(reads(server, { takeover }))
    await second.untilCount(15)
    await add(server, 16, 20)
    await second.untilCount(20)
    await nothingPending(server)
    await second.stop()
    expect(second.texts).toEqual(numbers(1, 20))
    expect([...first.host.gaps, ...second.host.gaps]).toEqual([])
  })

  test('what a reader of former times is given is read, though nothing follows', async () => {
    await using server = await start()
    await add(server, 1, 1)
    let held!: ReturnType<typeof gate>
    await using run = new SourceRun(reads(server, { prepare: (host) => (held = gate(host)) }))
    await held.reached
    await add(server, 2, 2)
    await giveToOther(server, 1)
    held.release()
    await run.untilCount(2)
    expect(run.texts).toEqual(numbers(1, 2))
  })

  test('what is held at once is bounded, however small the entries were before', async () => {
    await using server = await start()
    const script = `for number = 1, tonumber(ARGV[1]) do
      redis.call('XADD', KEYS[1], '*', 'data', string.rep('x', ARGV[2])) end`
    await server.call('EVAL', script, 1, KEY, 3_000, 10)
    await server.call('EVAL', script, 1, KEY, 50, MEBIBYTE)
    const sizes: number[] = []
    const prepare = (host: FakeSourceHost): void => {
      host.beforeAppend = (_partition, records) => {
        sizes.push(records.reduce((sum, { data }) => sum + data.byteLength, 0))
      }
    }
    await using run = new SourceRun(reads(server, { prepare }))
    await run.untilCount(3_050)
    await run.stop()
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(30_000 + 50 * MEBIBYTE)
    expect(Math.max(...sizes)).toBeLessThan(33 * MEBIBYTE)
    expect(sizes.length, 'small ones are taken over together').toBeLessThan(40)
  })

  test('nothing is read while the destination does not keep up', async () => {
    await using server = await start()
    await add(server, 1, 10)
    const admission = Promise.withResolvers<void>()
    const prepare = (host: FakeSourceHost): void => {
      host.admission = admission.promise
    }
    await using run = new SourceRun(reads(server, { prepare }))
    await run.host.until(() => run.host.progressOf.has(KEY))
    expect(run.host.progressOf.get(KEY)?.lagCount).toBe(10)
    await sleep(100)
    expect(await groupFact(server, 'last-delivered-id')).toBe('0-0')
    admission.resolve()
    await run.untilCount(10)
  })

  test('a key of another type is told, and the others are read', async () => {
    await using server = await start()
    await server.call('SET', KEY, 'text')
    await add(server, 1, 3, 'good')
    const configuration = { StreamKeys: [KEY, 'good'] }
    await using run = new SourceRun(reads(server, { configuration }))
    await run.untilCount(3)
    await run.host.until(() => run.host.failures.length > 0)
    const [failure] = run.host.failures
    expect(failure?.partition).toBe(KEY)
    expect(failure?.error.errorCode).toBe('Redis.WrongType')
    await server.call('DEL', KEY)
    await add(server, 1, 1)
    await run.untilCount(4)
  })

  test('a server that is gone ends the run, and the next reads on', async () => {
    await using server = await start({ appendonly: 'yes' })
    const takeover = new FakeTakeover()
    await add(server, 1, 10)
    await using first = new SourceRun(reads(server, { takeover }))
    await first.untilCount(10)
    await server.kill()
    expect(await first.ended).toMatchObject({ errorCode: 'Redis.ConnectionFailed' })
    await using second = new SourceRun(reads(server, { takeover }))
    expect(await second.ended).toMatchObject({
      errorCode: 'Redis.ConnectionFailed',
      message: expect.stringContaining('ECONNREFUSED'),
    })
    await server.restart()
    await using third = new SourceRun(reads(server, { takeover }))
    await add(server, 11, 20)
    await third.untilCount(20)
    expect(third.texts).toEqual(numbers(1, 20))
  })

  test('the password is the one of the connection', async () => {
    await using server = await start({ requirepass: 'secret' })
    await add(server, 1, 3)
    const configuration = { RedisUrl: `redis://127.0.0.1:${server.port}` }
    await using refused = new SourceRun(reads(server, { configuration }))
    expect(await refused.ended).toMatchObject({ errorCode: 'Redis.AccessDenied' })
    const find = (): { password: string } => ({ password: 'wrong' })
    const secret = (): never => expect.fail('not asked for')
    const connections = { find, secret }
    await using wrong = new SourceRun(reads(server, { configuration, connections }))
    expect(await wrong.ended).toMatchObject({ errorCode: 'Redis.AccessDenied' })
    await using run = new SourceRun(
      reads(server, {
        configuration,
        connections: { find: () => ({ password: 'secret' }), secret },
      }),
    )
    await run.untilCount(3)
  })

  test('values are records byte for byte, and metadata is made where it is wanted', async () => {
    await using server = await start()
    const value = 'text\u0000\u00ff'
    await server.call('XADD', KEY, '100-1', 'body', value)
    await server.call('XADD', KEY, '100-2', 'data', 'second', 'type', 'order')
    await using run = new SourceRun(reads(server, { wantsMetadata: true }))
    await run.untilCount(2)
    expect(run.host.records).toEqual([
      {
        partition: KEY,
        position: '100-1',
        data: Buffer.from(value),
        metadata: { redisStreamRecordMetadata: { streamKey: KEY, id: '100-1' } },
      },
      {
        partition: KEY,
        position: '100-2',
        data: Buffer.from('second'),
        metadata: {
          redisStreamRecordMetadata: { streamKey: KEY, id: '100-2', fields: { type: 'order' } },
        },
      },
    ])
  })
})
