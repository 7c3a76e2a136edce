import { expect, test } from 'vitest'
import { freePort } from '../../../test/servers/process.ts'
import { parseBackend } from '../../backend.ts'
import { silentLogger } from '../../base/logger.ts'
import { StreamConnection } from './stream-connection.ts'

test('what is asked between two attempts to connect fails when the connection is ended', async () => {
  const backend = parseBackend(`redis://127.0.0.1:${await freePort()}`)
  if (backend.kind !== 'redis') throw new Error('no place')
  const { place } = backend
  const connection = new StreamConnection({ place, name: 'test', logger: silentLogger })
  let asked: Promise<unknown> | undefined
  await connection.ask(
    (redis) =>
      new Promise((resolve) => {
        redis.once('reconnecting', () => {
          asked = connection.ask((client) => client.ping())
          resolve(undefined)
        })
      }),
  )
  connection.end()
  await expect(asked).rejects.toThrow('Connection is closed.')
  await expect(connection.ask((client) => client.ping())).rejects.toThrow('Connection is closed.')
})
