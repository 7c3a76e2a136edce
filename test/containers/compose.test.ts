/** docker-compose.yml as compose sees it, and what its parts must agree on. */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { parseBackend } from '../../src/backend.ts'
import { parseByteSize } from '../../src/base/byte-size.ts'
import { available } from '../clients/available.ts'
import { buildComposeConfig, outcomeOf, packageJson, read } from './programs.ts'
import { settingsOf } from './settings-of.ts'

const composeConfig = await buildComposeConfig()
const IMAGE = `standpipe:${packageJson.version}`

interface ComposeService {
  readonly image: string
  readonly build?: object
  readonly command: readonly string[] | null
  readonly environment?: Readonly<Record<string, string>>
  readonly restart?: string
  readonly stop_grace_period?: string
  readonly mem_limit?: string
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean }
  readonly ports?: readonly { readonly host_ip?: string }[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
}

describe.runIf(available('Go, for compose-config', composeConfig !== undefined))(
  'docker-compose.yml',
  async () => {
    const { exitCode, answer, complaints } = await outcomeOf(composeConfig!, ['docker-compose.yml'])
    const { services } = JSON.parse(answer || '{"services":{}}') as {
      services: Record<string, ComposeService>
    }
    const ours = Object.entries(services).filter(([, { image }]) => image.startsWith('standpipe'))

    test('compose loads it', () => {
      expect({ exitCode, complaints }).toEqual({ exitCode: 0, complaints: '' })
    })

    test('compose would refuse a misspelt member', async () => {
      const file = join(await mkdtemp(join(tmpdir(), 'compose-')), 'docker-compose.yml')
      await writeFile(file, (await read('docker-compose.yml')).replace('mem_limit', 'mem_limits'))
      const outcome = await outcomeOf(composeConfig!, [file])
      expect(outcome.exitCode).toBe(1)
      expect(outcome.complaints).toContain("additional properties 'mem_limits' not allowed")
    })

    test('each service is pinned, bounded, watched and published to this machine only', () => {
      const faults = Object.entries(services).flatMap(([name, service]) => faultsOf(name, service))
      expect(faults).toEqual([])
    })

    test('the roles of Standpipe run from one image, which one service builds', () => {
      const shapes = ours.map(([name, { image, command, build }]) => ({
        name,
        image,
        command: command ?? [],
        builds: build !== undefined,
      }))
      expect(shapes).toEqual([
        { name: 'api', image: IMAGE, command: ['api'], builds: false },
        { name: 'standpipe', image: IMAGE, command: [], builds: true },
        { name: 'worker', image: IMAGE, command: ['worker'], builds: false },
      ])
    })

    test('their settings are taken, and a drain ends within the grace', async () => {
      const file = await read('deploy/compose/standpipe.yaml')
      for (const [name, { environment = {}, stop_grace_period: grace = '' }] of ours) {
        const { backend, drainTimeoutMs } = await settingsOf(file, environment)
        expect(backend).toBe(name === 'standpipe' ? 'embedded' : 'redis://redis:6379')
        expect(drainTimeoutMs).toBeLessThan(Number.parseInt(grace, 10) * 1_000)
      }
    })

    test('api and workers find in Redis what they ask of it', async () => {
      const redis = services['redis']
      const option = (name: string): string => {
        const command = redis?.command ?? []
        return command[command.indexOf(`--${name}`) + 1] ?? ''
      }
      const { environment = {}, depends_on: dependsOn } = services['worker']!
      expect(environment).toEqual(services['api']?.environment)
      expect(dependsOn?.['redis']?.condition).toBe('service_healthy')
      const settings = await settingsOf(await read('deploy/compose/standpipe.yaml'), environment)
      expect(parseBackend(settings.backend)).toMatchObject({
        place: { nodes: [{ host: 'redis', port: 6379 }] },
      })
      expect(settings).toMatchObject({
        redisPassword: option('requirepass'),
        redisFsync: option('appendfsync'),
      })
      expect(redis?.environment).toEqual({ REDISCLI_AUTH: settings.redisPassword })
      expect(option('appendonly')).toBe('yes')
      expect(option('maxmemory-policy')).toBe('noeviction')
      const maxmemory = parseByteSize(option('maxmemory').replace('mb', 'MiB')) ?? Infinity
      // A rewrite of the log may copy what changes meanwhile.
      expect(Number(redis?.mem_limit)).toBeGreaterThan(maxmemory * 1.5)
    })

    test('Prometheus asks services that there are', async () => {
      const { scrape_configs: jobs } = parse(await read('deploy/prometheus.yml')) as {
        scrape_configs: readonly ScrapeConfig[]
      }
      const asked = jobs.flatMap(({ static_configs = [], dns_sd_configs = [] }) => [
        ...static_configs.flatMap(({ targets }) => targets),
        ...dns_sd_configs.flatMap(({ names, port }) => names.map((name) => `${name}:${port}`)),
      ])
      expect(asked.toSorted()).toEqual(ours.map(([name]) => `${name}:4573`))
    })
  },
)

interface ScrapeConfig {
  readonly static_configs?: readonly { readonly targets: readonly string[] }[]
  readonly dns_sd_configs?: readonly { readonly names: readonly string[]; readonly port: number }[]
}

/** The health check of what is built here comes with the image. */
function faultsOf(name: string, service: ComposeService): string[] {
  const pinned = /:v?\d+\.\d+(\.\d+)?$/.test(service.image)
  const watched =
    service.image === IMAGE ||
    service.healthcheck?.disable === true ||
    service.healthcheck?.test?.[0] === 'CMD'
  const published = (service.ports ?? []).every((port) => port.host_ip === '127.0.0.1')
  const rules = {
    'has no exact version': pinned,
    'is not watched': watched,
    'has no restart policy': service.restart !== undefined,
    'has no memory limit': service.mem_limit !== undefined,
    'is published to others': published,
  }
  return Object.entries(rules).flatMap(([fault, kept]) => (kept ? [] : [`${name} ${fault}`]))
}

test('the settings for compose declare a delivery stream for the bucket that compose makes', async () => {
  const environment = { STANDPIPE_ACCESS_KEYS: 'AKID:secret', POSTGRES_PASSWORD: 'secret' }
  const { deliveryStreams } = await settingsOf(
    await read('deploy/compose/standpipe.yaml'),
    environment,
  )
  expect(deliveryStreams.map((stream) => stream.DeliveryStreamName)).toEqual([
    'quickstart',
    'search',
    'warehouse',
  ])
})
