import { strict as assert } from 'node:assert'
import type { SealedBatch } from '../../src/batch.ts'
import type { Clock } from '../../src/base/clock.ts'
import type { Connections } from '../../src/connections.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type {
  DeliverJob,
  Destination,
  DestinationContext,
  EncodedOutput,
  EncodeJob,
  FailurePolicy,
  RecordFailure,
} from '../../src/destination.ts'
import type { ObjectStore } from '../../src/object-store.ts'
import { planBackup } from '../../src/objects/delivery-configuration.ts'
import { encodeObjects, putObject } from '../../src/objects/object-outputs.ts'
import { headerSecret } from '../../src/requests/header-secret.ts'
import { headerJson } from '../../src/requests/header-value.ts'
import { HttpClient } from '../../src/requests/http-client.ts'
import { passingChunks } from '../../src/requests/passing-chunks.ts'
import { RequestFailure } from '../../src/requests/request-failure.ts'
import { sequenceNumber } from '../../src/requests/sequence-number.ts'
import { noAnswer, refusal } from './answer.ts'
import { DELIVERY_RULES } from './configuration.ts'
import type { HttpEndpointConfiguration } from './configuration.ts'
import { presetOf } from './presets.ts'
import { REQUEST_KIND, RequestEncoder } from './request-encoder.ts'
import type { RequestTarget } from './request-encoder.ts'

const TIMEOUT_MS = 180_000
const REQUEST_SIZE_IN_MBS_MAX = 64
const MIB = 1024 * 1024

export class HttpEndpointDestination implements Destination {
  readonly #objectStore: ObjectStore
  readonly #connections: Connections
  readonly #clock: Clock
  readonly #client: HttpClient

  constructor({ objectStore, connections, clock }: DestinationContext) {
    this.#objectStore = objectStore
    this.#connections = connections
    this.#clock = clock
    this.#client = new HttpClient({ connections, clock })
  }

  /** The backup, if there is one, and then the requests, in one pass over the batch. */
  async encode(job: EncodeJob): Promise<readonly EncodedOutput[]> {
    const { EndpointConfiguration, RequestConfiguration } = configurationOf(job.stream)
    const sizeInMBsMax =
      presetOf(EndpointConfiguration)?.requestSizeInMBsMax ?? REQUEST_SIZE_IN_MBS_MAX
    const requests = new RequestEncoder({
      batch: job.batch,
      contentEncoding: RequestConfiguration.ContentEncoding,
      dataBytesMax: sizeInMBsMax * MIB,
      frozen: job.frozen?.outputs.filter(({ kind }) => kind === REQUEST_KIND),
      spool: job.openSpool(),
    })
    const backup = planBackup(job.stream, DELIVERY_RULES, 0)
    const copies = await encodeObjects(
      { ...job, chunks: passingChunks(job.chunks, (chunk) => requests.add(chunk)) },
      backup === undefined ? [] : [backup],
    )
    return [...copies, ...(await requests.finish())]
  }

  async deliver(job: DeliverJob): Promise<readonly RecordFailure[]> {
    if (job.output.kind === REQUEST_KIND) await this.#post(job)
    else await putObject(this.#objectStore, configurationOf(job.stream).S3Configuration, job)
    return []
  }

  failurePolicy(stream: DeliveryStream): FailurePolicy {
    const { RetryOptions } = configurationOf(stream)
    return {
      retryDurationMs: RetryOptions.DurationInSeconds * 1_000,
      atLeastOnce: true,
      errorOutputType: 'http-endpoint-failed',
      errorMembers: (ordinal: number, _output: unknown, { batchId }: SealedBatch) => ({
        subsequenceNumber: 0,
        dataId: `${sequenceNumber(batchId, ordinal)}.0`,
      }),
    }
  }

  async close(): Promise<void> {
    await this.#client.close()
  }

  /** The body is as it was frozen; where it goes, and with what key, is as the stream is now. */
  async #post({ output, stream, currentStream, signal }: DeliverJob): Promise<void> {
    const { target, content, recordCount } = output
    if (recordCount === 0) return
    assert(content !== undefined, 'a request has content')
    const { requestId } = target as RequestTarget
    const { ContentEncoding } = configurationOf(stream).RequestConfiguration
    const current = configurationOf(currentStream)
    const { Url } = current.EndpointConfiguration
    const accessKey = await this.#accessKey(current)
    const headers = {
      'Content-Type': 'application/json',
      ...(ContentEncoding === 'GZIP' && { 'Content-Encoding': 'gzip' }),
      'X-Amz-Firehose-Protocol-Version': '1.0',
      'X-Amz-Firehose-Request-Id': requestId,
      'X-Amz-Firehose-Source-Arn': stream.arn,
      ...(accessKey !== undefined && { 'X-Amz-Firehose-Access-Key': accessKey }),
      ...commonAttributes(current),
    }
    const answer = await this.#client
      .post({ url: Url, headers, body: content, timeoutMs: TIMEOUT_MS }, signal)
      .catch((error: unknown) => {
        if (!(error instanceof RequestFailure)) throw error
        throw noAnswer(new URL(Url).origin, error)
      })
    const failure = refusal(answer, { requestId, accessKey, nowMs: this.#clock.nowMs() })
    if (failure !== undefined) throw failure
  }

  async #accessKey(configuration: HttpEndpointConfiguration): Promise<string | undefined> {
    const { Enabled = false, SecretARN } = configuration.SecretsManagerConfiguration ?? {}
    // An empty key is as good as none.
    if (!Enabled) return configuration.EndpointConfiguration.AccessKey || undefined
    assert(SecretARN !== undefined, 'a secret that is enabled has an ARN')
    return headerSecret(this.#connections, SecretARN, 'api_key', 'HttpEndpoint.SecretUnavailable')
  }
}

function configurationOf({ destination }: DeliveryStream): HttpEndpointConfiguration {
  return destination as HttpEndpointConfiguration
}

function commonAttributes({ RequestConfiguration }: HttpEndpointConfiguration): object {
  const attributes = RequestConfiguration.CommonAttributes
  if (attributes.length === 0) return {}
  const commonAttributes = Object.fromEntries(
    attributes.map(({ AttributeName, AttributeValue }) => [AttributeName, AttributeValue]),
  )
  return { 'X-Amz-Firehose-Common-Attributes': headerJson({ commonAttributes }) }
}
