import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { available } from '../../../test/clients/available.ts'
import { hasOpenssl, makeCertificate } from '../../../test/fakes/certificate.ts'
import { SourceRun } from '../../../test/fakes/redis-stream-source.ts'
import { findRedis, startRedis } from '../../../test/servers/redis.ts'
import { freePort } from '../../../test/servers/process.ts'

const isHere = available('Redis with TLS', hasOpenssl() && (await findRedis('redis')) !== undefined)

test.runIf(isHere)('certificates are those of the connection, for both sides', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'redis-tls-'))
  await using _removed = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
  const { cert, key } = await makeCertificate()
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  await writeFile(certFile, cert)
  await writeFile(keyFile, key)
  const port = await freePort()
  const config = {
    'tls-port': String(port),
    'tls-cert-file': certFile,
    'tls-key-file': keyFile,
    'tls-ca-cert-file': certFile,
    'tls-auth-clients': 'yes',
  }
  await using server = (await startRedis({ program: 'redis', config }))!
  await server.call('XADD', 'orders', '1-1', 'data', 'over TLS')
  const configuration = {
    RedisUrl: `rediss://127.0.0.1:${port}`,
    StreamKeys: ['orders'],
    StartingPosition: 'TRIM_HORIZON',
  }
  await using refused = new SourceRun({ configuration })
  expect(await refused.ended).toMatchObject({
    errorCode: 'Redis.ConnectionFailed',
    message: expect.stringContaining('self-signed certificate'),
  })
  const connections = {
    find: () => ({ tlsCa: cert, tlsCertificate: cert, tlsKey: key }),
    secret: () => expect.fail('not asked for'),
  }
  await using run = new SourceRun({ configuration, connections })
  await run.untilCount(1)
  expect(run.texts).toEqual(['over TLS'])
})
