/** The manifests as Kubernetes sees them, and what their parts must agree on. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { parseBackend } from '../../src/backend.ts'
import type { Settings } from '../../src/settings.ts'
import { available } from '../clients/available.ts'
import { installKubernetesValidate, outcomeOf, packageJson, read, ROOT } from './programs.ts'
import { settingsOf } from './settings-of.ts'

const kubernetesValidate = await installKubernetesValidate()
const EMBEDDED = 'deploy/kubernetes'
const ON_REDIS = 'deploy/kubernetes/redis'
/** What the drain may take beyond its own time (cli/serve.ts). */
const HANG_MS = 2_000

interface Probe {
  readonly httpGet: { readonly path: string }
}

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> }
  readonly data?: Readonly<Record<string, string>>
  readonly stringData?: Readonly<Record<string, string>>
  readonly spec: {
    readonly replicas?: number
    readonly selector: Readonly<Record<string, unknown>>
    readonly scaleTargetRef: { readonly kind: string; readonly name: string }
    readonly minReplicas: number
    readonly maxReplicas: number
    readonly metrics: readonly {
      readonly external: {
        readonly metric: { readonly name: string }
        readonly target: { readonly averageValue: string }
      }
    }[]
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> }
      readonly spec: {
        readonly terminationGracePeriodSeconds: number
        readonly containers: readonly {
          readonly image: string
          readonly args?: readonly string[]
          readonly readinessProbe: Probe
          readonly lifecycle?: {
            readonly preStop: { readonly sleep: { readonly seconds: number } }
          }
        }[]
        readonly volumes: readonly {
          readonly secret?: { readonly items: readonly { readonly key: string }[] }
        }[]
      }
    }
  }
}

async function manifestsOf(folder: string): Promise<readonly Manifest[]> {
  const { resources } = await kustomizationOf(folder)
  const texts = await Promise.all(resources.map((name) => read(`${folder}/${name}`)))
  return texts.flatMap((text) =>
    parseAllDocuments(text).map((document) => document.toJS() as Manifest),
  )
}

async function kustomizationOf(folder: string): Promise<{ resources: readonly string[] }> {
  return parse(await read(`${folder}/kustomization.yaml`)) as { resources: readonly string[] }
}

/** The settings that the pods get by the ConfigMap, and the secrets by the example. */
async function settingsIn(folder: string): Promise<Settings> {
  const manifests = await manifestsOf(folder)
  const file = manifests.find(({ kind }) => kind === 'ConfigMap')?.data?.['standpipe.yaml'] ?? ''
  const { stringData = {} } = parse(await read(`${folder}/secret.example.yaml`)) as Manifest
  return settingsOf(file, {
    STANDPIPE_ACCESS_KEYS: stringData['access-keys'] ?? '',
    STANDPIPE_METRICS_TOKEN: stringData['metrics-token'] ?? '',
    STANDPIPE_REDIS_PASSWORD: stringData['redis-password'] ?? '',
  })
}

describe.each([EMBEDDED, ON_REDIS])('%s', async (folder) => {
  const entries = await readdir(join(ROOT, folder), { withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name)
  const manifests = await manifestsOf(folder)
  const runners = manifests.filter(({ kind }) => /^(?:Deployment|StatefulSet)$/.test(kind))

  test('kustomization.yaml names every manifest but the examples', async () => {
    const named = files.filter((file) => !/kustomization|example|adapter-rules/.test(file))
    const { resources } = await kustomizationOf(folder)
    expect(resources.toSorted()).toEqual(named.toSorted())
  })

  test.runIf(available('kubernetes-validate', kubernetesValidate !== undefined))(
    'each manifest is what the schemas of Kubernetes say',
    async () => {
      // KEDA's kind is not among the schemas.
      const known = files.filter((file) => !/kustomization|adapter-rules|keda/.test(file))
      const { exitCode, complaints } = await outcomeOf(kubernetesValidate!, [
        '--strict',
        '--quiet',
        ...known.map((name) => `${folder}/${name}`),
      ])
      expect({ exitCode, complaints }).toEqual({ exitCode: 0, complaints: '' })
    },
  )

  test('the settings are taken, and a drain ends within the grace', async () => {
    const { drainTimeoutMs } = await settingsIn(folder)
    for (const { spec } of runners) {
      const { terminationGracePeriodSeconds, containers } = spec.template.spec
      const pauseMs = (containers[0]?.lifecycle?.preStop.sleep.seconds ?? 0) * 1_000
      expect(pauseMs + drainTimeoutMs + HANG_MS).toBeLessThan(terminationGracePeriodSeconds * 1_000)
      expect(containers[0]?.image).toBe(`standpipe:${packageJson.version}`)
    }
  })

  test('the example has every secret that is mounted', async () => {
    const { stringData = {} } = parse(await read(`${folder}/secret.example.yaml`)) as Manifest
    const mounted = runners.flatMap(({ spec }) =>
      spec.template.spec.volumes.flatMap(({ secret }) => secret?.items ?? []),
    )
    expect(mounted.length).toBeGreaterThan(0)
    expect(Object.keys(stringData)).toEqual(expect.arrayContaining(mounted.map(({ key }) => key)))
  })
})

describe('on Redis', async () => {
  const manifests = await manifestsOf(ON_REDIS)
  const named = (kind: string, name: string): Manifest => {
    const found = manifests.find((one) => one.kind === kind && one.metadata.name === name)
    if (found === undefined) throw new Error(`There is no ${kind} ${name}`)
    return found
  }
  const component = (role: string) => ({
    'app.kubernetes.io/name': 'standpipe',
    'app.kubernetes.io/component': role,
  })

  test('the backend is a Redis whose password is not in the settings file', async () => {
    const { backend, redisPassword } = await settingsIn(ON_REDIS)
    expect(parseBackend(backend)).toMatchObject({ kind: 'redis' })
    expect(redisPassword).toBeDefined()
  })

  test.each(['api', 'worker'])('the pods of %s run that role, and are found by it', (role) => {
    const { metadata, spec } = named('Deployment', `standpipe-${role}`)
    expect(spec.template.spec.containers[0]?.args).toEqual([role])
    expect(metadata.labels).toEqual(component(role))
    expect(spec.template.metadata.labels).toEqual(component(role))
    expect(spec.selector).toEqual({ matchLabels: component(role) })
    const budget = named('PodDisruptionBudget', `standpipe-${role}`)
    expect(budget.spec.selector).toEqual({ matchLabels: component(role) })
  })

  test('records are sent to api only; a worker is ready while there is no room, too', () => {
    expect(named('Service', 'standpipe').spec.selector).toEqual(component('api'))
    const pathOf = (role: string): string | undefined =>
      named('Deployment', `standpipe-${role}`).spec.template.spec.containers[0]?.readinessProbe
        .httpGet.path
    expect([pathOf('api'), pathOf('worker')]).toEqual(['/health/ready', '/health/live'])
  })

  test('the autoscaler has the workers to itself, and asks for what the rule makes', async () => {
    const { spec } = named('HorizontalPodAutoscaler', 'standpipe-worker')
    expect(spec.scaleTargetRef).toMatchObject({ kind: 'Deployment', name: 'standpipe-worker' })
    expect(named('Deployment', 'standpipe-worker').spec.replicas).toBeUndefined()
    const { rules } = parse(await read(`${ON_REDIS}/prometheus-adapter-rules.yaml`)) as AdapterRules
    const [rule] = rules.external
    expect(spec.metrics[0]?.external.metric.name).toBe(rule?.name.as)
    expect(rule?.metricsQuery).toContain(rule?.seriesQuery)
  })

  test('KEDA would scale in the same way', async () => {
    const { spec } = named('HorizontalPodAutoscaler', 'standpipe-worker')
    const keda = parse(await read(`${ON_REDIS}/keda.example.yaml`)) as ScaledObject
    const { rules } = parse(await read(`${ON_REDIS}/prometheus-adapter-rules.yaml`)) as AdapterRules
    const { scaleTargetRef, minReplicaCount, maxReplicaCount, triggers } = keda.spec
    expect(scaleTargetRef.name).toBe(spec.scaleTargetRef.name)
    expect([minReplicaCount, maxReplicaCount]).toEqual([spec.minReplicas, spec.maxReplicas])
    const { query, threshold } = triggers[0]!.metadata
    expect(query).toBe(rules.external[0]?.metricsQuery.replace('{<<.LabelMatchers>>}', ''))
    const averageValue = spec.metrics[0]?.external.target.averageValue ?? ''
    expect(Number(threshold)).toBe(Number(averageValue.replace('Mi', '')) * 1024 ** 2)
  })
})

interface AdapterRules {
  readonly rules: {
    readonly external: readonly {
      readonly seriesQuery: string
      readonly name: { readonly as: string }
      readonly metricsQuery: string
    }[]
  }
}

interface ScaledObject {
  readonly spec: {
    readonly scaleTargetRef: { readonly name: string }
    readonly minReplicaCount: number
    readonly maxReplicaCount: number
    readonly triggers: readonly {
      readonly metadata: { readonly query: string; readonly threshold: string }
    }[]
  }
}
