import { strict as assert } from 'node:assert'
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
import { encodeObjects, putObject } from '../../src/objects/object-outputs.ts'
import type { RedshiftConfiguration } from './configuration.ts'
import { explainPostgresRows, explainRedshiftCopy } from './explain-rows.ts'
import { databaseFailure } from './failure.ts'
import { encodeLoad, planManifest, planObjects } from './plan.ts'
import { POSTGRES_COPY_KIND, REDSHIFT_COPY_KIND, STAGING_KIND } from './plan.ts'
import { loadIntoPostgres } from './postgres-load.ts'
import { loadIntoRedshift } from './redshift-load.ts'
import { Session } from './session.ts'

interface Load {
  readonly run: typeof loadIntoPostgres
  readonly statementMsMax: number
}

const LOADS: ReadonlyMap<string, Load> = new Map([
  // More than the limit that the server is given.
  [POSTGRES_COPY_KIND, { run: loadIntoPostgres, statementMsMax: 90_000 }],
  // A COPY waits in the cluster's queue, and then reads a whole batch.
  [REDSHIFT_COPY_KIND, { run: loadIntoRedshift, statementMsMax: 900_000 }],
])

/** For a look at a table's columns. */
const LOOK_MS_MAX = 15_000

export class RedshiftDestination implements Destination {
  readonly #context: DestinationContext

  constructor(context: DestinationContext) {
    this.#context = context
  }

  /** A batch without records, for they were lost or processors left none, has nothing to load. */
  async encode(job: EncodeJob): Promise<readonly EncodedOutput[]> {
    const objects = await encodeObjects(job, planObjects(job.stream))
    const staged = objects.find(({ kind }) => kind === STAGING_KIND)
    return staged === undefined ? objects : [...objects, ...(await encodeLoad(job, staged))]
  }

  async deliver(job: DeliverJob): Promise<readonly RecordFailure[]> {
    const load = LOADS.get(job.output.kind)
    if (load !== undefined) return await this.#load(job, load)
    const plans = [...planObjects(job.stream), planManifest(job.stream)]
    const plan = plans.find(({ kind }) => kind === job.output.kind)
    assert(plan !== undefined, `no output ${job.output.kind}`)
    await putObject(this.#context.objectStore, plan.configuration, job)
    return []
  }

  async explain(job: ExplainJob): Promise<ExplainedRecords> {
    if (job.output.kind === REDSHIFT_COPY_KIND) return await explainRedshiftCopy(job)
    return await this.#inSession(job.stream, job.signal, LOOK_MS_MAX, (session) =>
      explainPostgresRows(session, job, this.#context),
    )
  }

  failurePolicy({ destination }: DeliveryStream): FailurePolicy {
    const { RetryOptions } = destination as RedshiftConfiguration
    return {
      retryDurationMs: RetryOptions.DurationInSeconds * 1_000,
      atLeastOnce: false,
      errorOutputType: 'errors',
      errorMembers: () => ({}),
    }
  }

  /** Each attempt closes its own connection. */
  async close(): Promise<void> {}

  async #load(job: DeliverJob, { run, statementMsMax }: Load): Promise<readonly RecordFailure[]> {
    return await this.#inSession(job.currentStream, job.signal, statementMsMax, (session) =>
      run(session, job, this.#context),
    )
  }

  /** @throws DeliveryError */
  async #inSession<Result>(
    stream: DeliveryStream,
    signal: AbortSignal,
    statementMsMax: number,
    work: (session: Session) => Promise<Result>,
  ): Promise<Result> {
    const { connections, clock } = this.#context
    const configuration = stream.destination as RedshiftConfiguration
    let session: Session
    try {
      session = await Session.open({ configuration, connections, clock, signal, statementMsMax })
    } catch (error) {
      throw databaseFailure('connect to the database', error, 'none')
    }
    try {
      return await work(session)
    } finally {
      await session.close()
    }
  }
}
