import type { JsonObject } from '../../src/base/json.ts'

/** A destination to be measured. */
export interface DestinationPlan {
  readonly name: string
  /** Fewer where the server is slow. */
  readonly recordCount: number
  /** What it takes, for whoever lacks it. */
  readonly needs: string
  /** Starts its server; undefined where none can be had. */
  open(): Promise<DestinationBench | undefined>
}

/** Its server, for as long as it isn't disposed of. */
export interface DestinationBench extends AsyncDisposable {
  /** The service's, beside the benchmark's own. */
  readonly environment?: Readonly<Record<string, string>>
  /** Members of CreateDeliveryStream. */
  readonly stream: JsonObject
  /**
   * The same work without Standpipe: for each batch a request, or what it takes, prepared as far as
   * can be, to be sent by the destination's bare client.
   */
  bareSends(batches: readonly (readonly Buffer[])[]): Promise<readonly BareSend[]>
}

export type BareSend = () => Promise<unknown>

const ROLE = 'arn:aws:iam::000000000000:role/bench'

/** Batches of Firehose's usual size. */
export const BufferingHints = { SizeInMBs: 5, IntervalInSeconds: 60 }

export const S3Configuration = { RoleARN: ROLE, BucketARN: 'arn:aws:s3:::bench' }
