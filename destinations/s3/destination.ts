import { strict as assert } from 'node:assert'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type { DeliverJob, Destination, EncodedOutput, EncodeJob } from '../../src/destination.ts'
import { COMPRESSION_FORMATS } from '../../src/formats/compression.ts'
import type { ObjectStore } from '../../src/object-store.ts'
import { encodeObjects } from './encoding.ts'
import type { OutputPlan, S3Target } from './plan.ts'
import { planOutputs } from './plan.ts'

/** Whatever the compression: AWS labels all objects like this. */
const CONTENT_TYPE = 'application/octet-stream'
const PLAN_COUNT_MAX = 1_000

export class S3Destination implements Destination {
  readonly #objectStore: ObjectStore
  /** Prefixes are compiled once for each version of a stream. */
  readonly #plans = new Map<string, readonly OutputPlan[]>()

  constructor(objectStore: ObjectStore) {
    this.#objectStore = objectStore
  }

  encode(job: EncodeJob): Promise<readonly EncodedOutput[]> {
    return encodeObjects(job, this.#plan(job.stream))
  }

  async deliver({ output, stream, formerSha256s, signal }: DeliverJob): Promise<void> {
    const plan = this.#plan(stream).find(({ kind }) => kind === output.kind)
    assert(plan !== undefined, `no output ${output.kind}`)
    const { CompressionFormat, EncryptionConfiguration } = plan.configuration
    const { contentEncoding } = COMPRESSION_FORMATS[CompressionFormat]
    const kmsKeyArn = EncryptionConfiguration.KMSEncryptionConfig?.AWSKMSKeyARN
    const { bucket, key } = output.target as S3Target
    await this.#objectStore.put(
      {
        bucket,
        key,
        content: output.content,
        contentType: CONTENT_TYPE,
        ...(contentEncoding !== undefined && { contentEncoding }),
        ...(kmsKeyArn !== undefined && { kmsKeyArn }),
        formerSha256s,
      },
      signal,
    )
  }

  /** The object store is not ours to close. */
  async close(): Promise<void> {}

  #plan(stream: DeliveryStream): readonly OutputPlan[] {
    const version = `${stream.streamId}/${stream.versionId}`
    const known = this.#plans.get(version)
    if (known !== undefined) return known
    if (this.#plans.size >= PLAN_COUNT_MAX) this.#plans.clear()
    const plans = planOutputs(stream)
    this.#plans.set(version, plans)
    return plans
  }
}
