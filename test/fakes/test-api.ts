/** The real server of the API over operations that do nothing but say that they were called. */
import { AccessKeys } from '../../src/api/access-keys.ts'
import type { AccessKey } from '../../src/api/access-keys.ts'
import type { ApiContext } from '../../src/api/context.ts'
import type { Operation, RawOperation, Route } from '../../src/api/operation.ts'
import { RequestHandler } from '../../src/api/request-handler.ts'
import type { BodyLimits } from '../../src/api/request-handler.ts'
import { ApiServer } from '../../src/api/server.ts'
import type { ServerLimits } from '../../src/api/server.ts'
import { BufferPool } from '../../src/base/buffer-pool.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { JsonObject } from '../../src/base/json.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { noMetrics } from '../../src/base/metrics.ts'
import type { Tag } from '../../src/delivery-stream.ts'

export interface TestApiOptions {
  readonly operations?: Readonly<Record<string, Operation | RawOperation>>
  readonly routes?: readonly Route[]
  readonly accessKeys?: readonly AccessKey[]
  /** Default: any. */
  readonly allowedHosts?: readonly string[] | 'any'
  readonly metricsToken?: string
  readonly tags?: Readonly<Record<string, readonly Tag[]>>
  readonly bodyLimits?: Partial<BodyLimits>
  readonly serverLimits?: Partial<ServerLimits>
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer }
}

/** `PutRecord` answers the stream and the length of its body. */
const putRecord: RawOperation = {
  raw: true,
  prepare(body) {
    const { DeliveryStreamName } = JSON.parse(body.toString()) as { DeliveryStreamName: string }
    const answer = { DeliveryStreamName, bodyBytes: body.byteLength }
    return { streamName: DeliveryStreamName, run: () => Promise.resolve(answer) }
  },
}

/** `DescribeDeliveryStream` answers its input. */
const describeDeliveryStream: Operation = (input) => Promise.resolve(input)

export class TestApi implements AsyncDisposable {
  readonly audit: JsonObject[] = []
  /** What was logged as an error. */
  readonly errors: object[] = []
  readonly #server: ApiServer

  private constructor(options: TestApiOptions) {
    const context = {
      accountId: '000000000000',
      region: 'us-east-1',
      configuration: { strictAws: false, objectStoreKind: 'folder' },
      registry: { find: (name: string) => ({ tags: options.tags?.[name] ?? [] }) },
      buffers: new BufferPool(),
      clock: systemClock,
      logger: { ...silentLogger, error: (fields: object) => this.errors.push(fields) },
      metrics: noMetrics,
    } as unknown as ApiContext
    const operations = {
      PutRecord: putRecord,
      DescribeDeliveryStream: describeDeliveryStream,
      ...options.operations,
    }
    const { accessKeys, bodyLimits, serverLimits, tls } = options
    const handler = new RequestHandler({
      context,
      operations: new Map(Object.entries(operations)),
      routes: options.routes ?? [],
      accessKeys: accessKeys === undefined ? undefined : new AccessKeys(accessKeys, systemClock),
      allowedHosts: options.allowedHosts ?? 'any',
      metricsToken: options.metricsToken,
      audit: { record: (event) => this.audit.push(event) },
      ...(bodyLimits === undefined ? {} : { limits: bodyLimits }),
    })
    this.#server = new ApiServer({
      host: '127.0.0.1',
      port: 0,
      handler,
      clock: systemClock,
      ...(serverLimits === undefined ? {} : { limits: serverLimits }),
      ...(tls === undefined ? {} : { tls }),
    })
  }

  static async start(options: TestApiOptions = {}): Promise<TestApi> {
    const api = new TestApi(options)
    await api.#server.listen()
    return api
  }

  get url(): string {
    return this.#server.url
  }

  drain(signal: AbortSignal): Promise<void> {
    return this.#server.drain(signal)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.drain(AbortSignal.abort())
  }
}
