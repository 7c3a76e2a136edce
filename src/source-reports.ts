/** How the sources go that this process reads: state to look at, nothing that is kept. */
import type { Failure } from './delivery-queue.ts'
import type { PartitionProgress } from './source.ts'

export type SourceState =
  /** What it reads is being found out. */
  | 'starting'
  | 'reading'
  /** Nothing is read until there is room. */
  | 'paused'
  /** Nothing can be read; it is tried again and again. */
  | 'failing'

/** `backlog`: of its own stream; `store`: what is left there is for puts, of whatever streams. */
export type PauseReason = 'backlog' | 'store'

export interface PartitionReport extends PartitionProgress {
  readonly partition: string
  /** Of the last record taken over. */
  readonly position: string | undefined
  /** Absent: it goes well. */
  readonly failure?: Failure
}

export interface SourceReport {
  readonly state: SourceState
  /** In state `paused`. */
  readonly pausedBy?: PauseReason
  /** Those that this process reads, by name. */
  readonly partitions: readonly PartitionReport[]
  /** Since the process started. */
  readonly recordCount: number
  readonly dataBytes: number
  /** Records known to have gone before they could be read, and how often that happened. */
  readonly lostCount: number
  readonly gapCount: number
  /** The last one, however long ago; absent: none since the process started. */
  readonly lastFailure?: Failure & { readonly atMs: number }
}

export interface SourceReports {
  /** Undefined when this process does not read the stream's source. */
  report(streamId: string): SourceReport | undefined
}
