import type { EventEmitter } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { available } from '../../test/clients/available.ts'
import { placeAt } from '../../test/contracts/redis-catalogs.ts'
import { freePort } from '../../test/servers/process.ts'
import { findRedis, startRedis } from '../../test/servers/redis.ts'
import type { RedisServer } from '../../test/servers/redis.ts'
import { BackendUnavailable } from '../backend.ts'
import { silentLogger } from '../base/logger.ts'
import { connect, disconnect } from './connection.ts'
import { isPassing } from './insist.ts'
import type { RedisClient } from './scripts.ts'

const isHere = available('Redis', (await findRedis()) !== undefined)

describe.runIf(isHere)('a connection to Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = (await startRedis({ config: { loglevel: 'warning' } })) as RedisServer
  })
  afterAll(() => server?.[Symbol.asyncDispose]())

  test('what is unanswered when it breaks fails, and what comes after it is answered', async () => {
    const client = connect({ place: placeAt(server.url), name: 'test', logger: silentLogger })
    await client.set('key', 'value')
    const unanswered = client.blpop('nothing', 0).catch((error: unknown) => error)
    await server.call('CLIENT', 'KILL', 'TYPE', 'normal')
    expect(await unanswered).toEqual(new BackendUnavailable('Connection is closed.'))
    expect(await client.get('key')).toBe('value')
    disconnect(client)
  })
})

test('a second error of a connection harms nobody', async () => {
  const client = connect({
    place: placeAt(`redis://127.0.0.1:${await freePort()}`),
    name: 'test',
    logger: silentLogger,
  })
  await new Promise<void>((resolve) => void client.once('error', () => resolve()))
  const { stream } = client as unknown as { readonly stream: EventEmitter }
  expect(stream.emit('error', new Error('the second'))).toBe(true)
  disconnect(client)
})

const CLOSED = /^(?:Connection is closed\.|None of startup nodes is available)$/

describe.each(['redis', 'redis+cluster', 'redis+sentinel'])(
  'a client of %s that is away',
  (scheme) => {
    const start = async (): Promise<RedisClient> => {
      const path = scheme === 'redis+sentinel' ? '/main' : ''
      const place = placeAt(`${scheme}://127.0.0.1:${await freePort()}${path}`)
      return connect({ place, name: 'test', logger: silentLogger })
    }
    const attempted = (client: RedisClient): Promise<void> =>
      new Promise((resolve) => void client.once('error', () => resolve()))

    test('is waited for by a command a few attempts long', async () => {
      const client = await start()
      await expect(client.ping()).rejects.toSatisfy(isPassing)
      disconnect(client)
    })

    test('is waited for no longer when it is ended between two attempts', async () => {
      const client = await start()
      await attempted(client)
      await new Promise(setImmediate)
      const waiting = client.ping()
      disconnect(client)
      const late = client.ping()
      await expect(waiting).rejects.toThrow(CLOSED)
      await expect(late).rejects.toThrow(CLOSED)
    })

    test('is waited for no longer when it is ended at once', async () => {
      const client = await start()
      const waiting = client.ping()
      disconnect(client)
      await expect(waiting).rejects.toThrow(CLOSED)
    })
  },
)
