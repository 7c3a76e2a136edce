import { strict as assert } from 'node:assert'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type {
  DeliverJob,
  Destination,
  EncodeJob,
  EncodedOutput,
  ExplainJob,
  ExplainedRecords,
  RecordFailure,
} from '../../src/destination.ts'
import type { ObjectStore } from '../../src/object-store.ts'
import { explainRows } from '../../src/objects/explain-rows.ts'
import { encodeObjects, putObject } from '../../src/objects/object-outputs.ts'
import type { ObjectPlan } from '../../src/objects/object-plan.ts'
import type { PartitionRules } from '../../src/partition.ts'
import type { TableSchema } from '../../src/table-schema.ts'
import { planOutputs, planPartitioning } from './plan.ts'

const PLAN_COUNT_MAX = 1_000

export class S3Destination implements Destination {
  /** With dynamic partitioning a batch is many objects, most of them small. */
  readonly outputsInFlightMax = 16
  readonly #objectStore: ObjectStore
  /** Prefixes are compiled once for each version of a stream. */
  readonly #plans = new Map<string, readonly ObjectPlan[]>()

  constructor(objectStore: ObjectStore) {
    this.#objectStore = objectStore
  }

  /** A batch that lost all its records has no outputs. */
  async encode(job: EncodeJob): Promise<readonly EncodedOutput[]> {
    return encodeObjects(job, this.#plan(job.stream))
  }

  async deliver(job: DeliverJob): Promise<readonly RecordFailure[]> {
    const plan = this.#plan(job.stream).find(({ kind }) => kind === job.output.kind)
    assert(plan !== undefined, `no output ${job.output.kind}`)
    await putObject(this.#objectStore, plan.configuration, job)
    return []
  }

  /** Of Parquet the rows; other objects are what they are. */
  async explain(job: ExplainJob): Promise<ExplainedRecords | undefined> {
    const plan = this.#plan(job.stream).find(({ kind }) => kind === job.output.kind)
    if (plan?.conversion === undefined) return undefined
    return await explainRows(job, job.tableSchema as TableSchema, plan.conversion)
  }

  partitioning(stream: DeliveryStream): PartitionRules | undefined {
    const [main] = this.#plan(stream)
    assert(main !== undefined, 'a stream has a main object')
    return planPartitioning(stream, main, (key) => this.#objectStore.takesKey?.(key) ?? true)
  }

  /** The object store is not ours to close. */
  async close(): Promise<void> {}

  #plan(stream: DeliveryStream): readonly ObjectPlan[] {
    const version = `${stream.streamId}/${stream.versionId}`
    const known = this.#plans.get(version)
    if (known !== undefined) return known
    if (this.#plans.size >= PLAN_COUNT_MAX) this.#plans.clear()
    const plans = planOutputs(stream)
    this.#plans.set(version, plans)
    return plans
  }
}
