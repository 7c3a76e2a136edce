import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { available } from '../../test/clients/available.ts'
import { placeAt } from '../../test/contracts/redis-catalogs.ts'
import { findRedis, startRedis } from '../../test/servers/redis.ts'
import type { RedisServer } from '../../test/servers/redis.ts'
import { BackendUnavailable } from '../backend.ts'
import { silentLogger } from '../base/logger.ts'
import { connect, disconnect } from './connection.ts'

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
