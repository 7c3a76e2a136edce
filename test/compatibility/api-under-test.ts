/** The operations and routes over the real embedded store, queue and catalog; no server, no delivery. */
import { strict as assert } from 'node:assert'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { destinationTypes } from '../../destinations/index.ts'
import { BufferPool } from '../../src/base/buffer-pool.ts'
import type { ApiContext } from '../../src/api/context.ts'
import { ApiError } from '../../src/api/exceptions.ts'
import type { Caller, RouteResponse } from '../../src/api/operation.ts'
import { operations } from '../../src/api/operations/index.ts'
import { routes } from '../../src/api/rest/index.ts'
import { validateInput } from '../../src/api/validation.ts'
import type { Clock } from '../../src/base/clock.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { silentLogger } from '../../src/base/logger.ts'
import type { PutObservation } from '../../src/base/metrics.ts'
import { noMetrics } from '../../src/base/metrics.ts'
import { BatchIds } from '../../src/batch.ts'
import type { SealedBatch } from '../../src/batch.ts'
import type { OpenBatch } from '../../src/batch-store.ts'
import type { ConfigurationContext } from '../../src/destination.ts'
import type { Explainer } from '../../src/explanation.ts'
import { BatchFiles } from '../../src/embedded/batch-files.ts'
import { LocalKeyRing } from '../../src/embedded/local-key-ring.ts'
import { LocalQueue } from '../../src/embedded/local-queue.ts'
import { nodeFileSystem } from '../../src/embedded/node-file-system.ts'
import { SqliteCatalog } from '../../src/embedded/sqlite-catalog.ts'
import { StagedBytes } from '../../src/embedded/staged-bytes.ts'
import { LocalFunctionReports } from '../../src/functions/function-reports.ts'
import { FolderObjectStore } from '../../src/objects/folder-object-store.ts'
import { Intake } from '../../src/pipeline/intake.ts'
import { LocalLedger } from '../../src/pipeline/ledger.ts'
import { StreamRegistry } from '../../src/pipeline/stream-registry.ts'
import { sourceTypes } from '../../src/sources/index.ts'
import { LocalReplays } from '../../src/replay/local-replays.ts'

export const ACCOUNT_ID = '123456789012'
export const NOW_MS = Date.UTC(2026, 6, 13, 14, 15, 16, 250)

const CALLER: Caller = {
  accessKeyId: undefined,
  arn: `arn:aws:iam::${ACCOUNT_ID}:user/anonymous`,
  sourceAddress: '127.0.0.1',
  userAgent: 'test',
  requestId: '00000000-0000-4000-8000-000000000000',
}

export interface ApiUnderTestOptions {
  readonly dataDirectory?: string
  readonly quotaBytes?: number
  /** Whether a wrapping key for server-side encryption is configured. */
  readonly encryptionKey?: boolean
  readonly configuration?: Partial<ConfigurationContext>
  readonly explain?: Explainer['explain']
}

export class ApiUnderTest implements AsyncDisposable {
  readonly context: ApiContext
  /** All that was sealed, in order. */
  readonly sealed: readonly SealedBatch[]
  readonly puts: PutObservation[]
  readonly warnings: object[]
  readonly functionReports: LocalFunctionReports
  readonly #directory: string

  private constructor(
    parts: Pick<ApiUnderTest, 'context' | 'sealed' | 'puts' | 'warnings' | 'functionReports'>,
    directory: string,
  ) {
    this.context = parts.context
    this.sealed = parts.sealed
    this.puts = parts.puts
    this.warnings = parts.warnings
    this.functionReports = parts.functionReports
    this.#directory = directory
  }

  static async open(options: ApiUnderTestOptions = {}): Promise<ApiUnderTest> {
    const directory = await mkdtemp(join(tmpdir(), 'standpipe-api-'))
    const clock: Clock = { ...systemClock, nowMs: () => NOW_MS }
    const sealed: SealedBatch[] = []
    const puts: PutObservation[] = []
    const warnings: object[] = []
    const logger = { ...silentLogger, warn: (fields: object) => warnings.push(fields) }
    const keyRing = LocalKeyRing.fromSetting(Buffer.alloc(32, 1).toString('base64'), clock)
    const queue = new LocalQueue({ clock, claimsMax: 4, streamClaimsMax: 2 })
    const catalog = SqliteCatalog.open({ path: join(directory, 'catalog.sqlite'), clock })
    const store = await BatchFiles.open({
      dataDirectory: join(directory, 'data'),
      fileSystem: nodeFileSystem,
      keyRing,
      clock,
      logger,
      stagedBytes: new StagedBytes(),
      limits: {
        quotaBytes: options.quotaBytes ?? 64 * 1024 * 1024,
        freeBytesMin: 0,
        batchesMax: 1_000,
      },
      onSealed: (batch) => {
        sealed.push(batch)
        void queue.enqueue(batch)
        void ledger.sealed(batch)
      },
    })
    const ledger = new LocalLedger({ catalog, store, queue, logger })
    const registry = await StreamRegistry.open(catalog)
    const intake = new Intake({ store, destinations: destinationTypes, keyRing, clock })
    const functionReports = new LocalFunctionReports(clock)
    const context: ApiContext = {
      accountId: ACCOUNT_ID,
      region: 'us-east-1',
      configuration: { strictAws: false, objectStoreKind: 'folder', ...options.configuration },
      destinations: destinationTypes,
      sources: sourceTypes,
      registry,
      intake,
      store,
      queue,
      catalog,
      ledger,
      replays: new LocalReplays({
        openStore: async () =>
          new FolderObjectStore({ root: join(directory, 'buckets'), clock: systemClock }),
        registry,
        intake,
        store,
        catalog,
        batchIds: new BatchIds(systemClock),
        clock: systemClock,
        logger,
      }),
      explainer: {
        explain: options.explain ?? (() => Promise.reject(new Error('the test asks for none'))),
        stop: () => {},
      },
      checkProcessing: () => Promise.resolve(),
      functionReports,
      sourceReports: { report: () => undefined },
      buffers: new BufferPool(),
      dataKeys: options.encryptionKey === false ? undefined : keyRing,
      clock,
      logger,
      metrics: { ...noMetrics, put: (observation) => puts.push(observation) },
    }
    return new ApiUnderTest({ context, sealed, puts, warnings, functionReports }, directory)
  }

  /** The stream's one batch that is not sealed. */
  async openBatch(streamName: string): Promise<OpenBatch> {
    const { registry, store } = this.context
    const { streamId } = registry.find(streamName) ?? assert.fail(`no stream ${streamName}`)
    const [batch, ...others] = await store.openBatches(streamId)
    assert(batch !== undefined && others.length === 0, 'one batch is open')
    return batch
  }

  /** Calls an operation as the server does, with authorization left out. */
  async call(name: string, input: JsonObject): Promise<JsonObject> {
    return await this.send(name, Buffer.from(JSON.stringify(input)))
  }

  async send(name: string, body: Buffer): Promise<JsonObject> {
    const operation = operations.get(name)
    assert(operation !== undefined, `there is an operation ${name}`)
    if ('raw' in operation) {
      const answer = await operation.prepare(body, this.context).run()
      return typeof answer === 'string' ? (JSON.parse(answer) as JsonObject) : answer
    }
    const input = JSON.parse(body.toString()) as JsonObject
    const known = validateInput(name, input, this.context.configuration)
    return await operation(known, this.context, CALLER)
  }

  /** What the operation refuses the input with: its type and message. */
  async refusal(name: string, input: JsonObject): Promise<JsonObject> {
    return await refusalOf(this.call(name, input))
  }

  /** @param path as in the table of routes, with parameters from `parameters` */
  async route(
    method: string,
    path: string,
    parameters: Readonly<Record<string, string>> = {},
    request: { headers?: Record<string, string>; body?: Buffer | string } = {},
  ): Promise<RouteResponse> {
    const route = routes.find((other) => other.method === method && other.path === path)
    assert(route !== undefined, `there is a route ${method} ${path}`)
    return await route.handle(
      {
        parameters: new Map(Object.entries(parameters)),
        query: new URLSearchParams(),
        headers: request.headers ?? {},
        body: Buffer.from(request.body ?? ''),
        caller: CALLER,
        authorize: () => {},
      },
      this.context,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { replays, store, queue, catalog } = this.context
    await replays.close()
    await store.close()
    await queue.close()
    await catalog.close()
    await rm(this.#directory, { recursive: true, force: true })
  }
}

export async function refusalOf(call: Promise<unknown>): Promise<JsonObject> {
  try {
    await call
  } catch (error) {
    if (error instanceof ApiError) return error.toBody()
    throw error
  }
  throw new Error('The call was not refused')
}
