import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { available } from '../../test/clients/available.ts'
import { placeAt } from '../../test/contracts/redis-catalogs.ts'
import { FaultProxy } from '../../test/fakes/fault-proxy.ts'
import { findRedis, startRedis } from '../../test/servers/redis.ts'
import { until } from '../../test/servers/until.ts'
import { silentLogger } from '../base/logger.ts'
import { disconnect } from './connection.ts'
import { subscribe } from './subscription.ts'

const isHere = available('Redis', (await findRedis()) !== undefined)

test.runIf(isHere)(
  'connections that break before they listen are nobody’s fault, and the next one listens',
  async () => {
    await using server = (await startRedis({ config: { loglevel: 'warning' } }))!
    await using proxy = await FaultProxy.start(server.port)
    const unhandled: unknown[] = []
    const note = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', note)
    let messageCount = 0
    const client = subscribe({
      place: placeAt(`redis://127.0.0.1:${proxy.port}`),
      name: 'test',
      logger: silentLogger,
      channel: 'news',
      onMessage: () => {
        messageCount += 1
      },
    })
    const isHeard = async (): Promise<true | undefined> =>
      (await server.call('PUBLISH', 'news', 'x')) === 1 && messageCount > 0 ? true : undefined
    try {
      await until('it listens', 5_000, isHeard)
      await proxy.become({ kind: 'lose reply', marker: 'subscribe' })
      await until('replies are lost', 5_000, async () => (proxy.lostCount >= 2 ? true : undefined))
      messageCount = 0
      await Promise.all([once(client, 'ready'), proxy.become({ kind: 'pass' })])
      await until('it listens again', 5_000, isHeard)
      await setImmediate()
      expect(unhandled).toEqual([])
    } finally {
      process.off('unhandledRejection', note)
      disconnect(client)
    }
  },
)
