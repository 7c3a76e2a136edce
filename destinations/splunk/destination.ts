import { strict as assert } from 'node:assert'
import type { Clock } from '../../src/base/clock.ts'
import type { SealedBatch } from '../../src/batch.ts'
import type { Connections } from '../../src/connections.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type {
  DeliverJob,
  Destination,
  DestinationContext,
  EncodeJob,
  EncodedOutput,
  ExplainJob,
  ExplainedRecords,
  FailurePolicy,
  RecordFailure,
} from '../../src/destination.ts'
import type { ObjectStore } from '../../src/object-store.ts'
import { planBackup } from '../../src/objects/delivery-configuration.ts'
import { outputUuid } from '../../src/objects/object-key.ts'
import { encodeObjects, putObject } from '../../src/objects/object-outputs.ts'
import { recordDelimiter } from '../../src/processors/processing-configuration.ts'
import { headerSecret } from '../../src/requests/header-secret.ts'
import { HttpClient } from '../../src/requests/http-client.ts'
import { passingChunks } from '../../src/requests/passing-chunks.ts'
import { sequenceNumber } from '../../src/requests/sequence-number.ts'
import { Conversation } from './collector.ts'
import { DELIVERY_RULES } from './configuration.ts'
import type { SplunkConfiguration } from './configuration.ts'
import { sendInParts } from './parts.ts'
import { RecordBody } from './record-body.ts'

const EVENTS_KIND = 'splunk-events'

/** As frozen: a batch has a channel of its own, the same on each repeat. */
type EventsTarget = { readonly channel: string }

export class SplunkDestination implements Destination {
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

  /** The backup, if there is one, and all records as one output. */
  async encode(job: EncodeJob): Promise<readonly EncodedOutput[]> {
    let recordCount = 0
    const backup = planBackup(job.stream, DELIVERY_RULES, 0)
    const copies = await encodeObjects(
      {
        ...job,
        chunks: passingChunks(job.chunks, (chunk) => {
          recordCount += chunk.recordCount
        }),
      },
      backup === undefined ? [] : [backup],
    )
    const frozen = job.frozen?.outputs.find(({ kind }) => kind === EVENTS_KIND)
    // They were lost, or processors left none.
    if (recordCount === 0 && frozen === undefined) return copies
    const target = frozen?.target ?? { channel: outputUuid(job.batch.batchId, 1) }
    return [...copies, { kind: EVENTS_KIND, target, accounting: 'delivered', recordCount }]
  }

  async deliver(job: DeliverJob): Promise<readonly RecordFailure[]> {
    if (job.output.kind === EVENTS_KIND) return this.#send(job)
    await putObject(this.#objectStore, configurationOf(job.stream).S3Configuration, job)
    return []
  }

  /** The text of each record in the body; what is wrong with it is for Splunk to say. */
  async explain(job: ExplainJob): Promise<ExplainedRecords> {
    const { HECEndpointType: endpointType } = configurationOf(job.stream)
    const body = await RecordBody.gather(job.records())
    const items = body.ordinals.map((ordinal, index) => ({
      ordinal,
      item: { endpointType },
      data: body.slice(index, index + 1),
    }))
    return { items, refused: [] }
  }

  failurePolicy(stream: DeliveryStream): FailurePolicy {
    const { RetryOptions } = configurationOf(stream)
    return {
      retryDurationMs: RetryOptions.DurationInSeconds * 1_000,
      atLeastOnce: true,
      errorOutputType: 'splunk-failed',
      errorMembers: (ordinal: number, _output: unknown, { batchId }: SealedBatch) => ({
        EventId: `${sequenceNumber(batchId, ordinal)}.0`,
      }),
    }
  }

  async close(): Promise<void> {
    await this.#client.close()
  }

  /** What is sent is as it was frozen; where to, and with what token, is as the stream is now. */
  async #send(job: DeliverJob): Promise<readonly RecordFailure[]> {
    const current = configurationOf(job.currentStream)
    const conversation = new Conversation({
      client: this.#client,
      clock: this.#clock,
      endpoint: current.HECEndpoint,
      endpointType: current.HECEndpointType,
      token: await this.#token(current),
      channel: (job.output.target as EventsTarget).channel,
      timeoutMs: current.HECAcknowledgmentTimeoutInSeconds * 1_000,
      signal: job.signal,
    })
    const delimiter = recordDelimiter(configurationOf(job.stream).ProcessingConfiguration)
    const body = await RecordBody.gather(job.records(), delimiter)
    return sendInParts(body, async (bytes) => {
      // Splunk takes no empty request, and would have nothing to keep of it.
      if (bytes.byteLength > 0) await conversation.send(bytes)
    })
  }

  async #token({ HECToken, SecretsManagerConfiguration }: SplunkConfiguration): Promise<string> {
    const { Enabled = false, SecretARN } = SecretsManagerConfiguration ?? {}
    const given = Enabled ? SecretARN : HECToken
    assert(given !== undefined, 'a configuration has a token or the ARN of one')
    if (!Enabled) return given
    return headerSecret(this.#connections, given, 'hec_token', 'Splunk.SecretUnavailable')
  }
}

function configurationOf({ destination }: DeliveryStream): SplunkConfiguration {
  return destination as SplunkConfiguration
}
