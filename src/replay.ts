/**
 * Replay: puts original records back through a stream, from its error output or from a backup.
 *
 * Each record of a source object goes into a stream once, however often it is replayed and with
 * whatever selection: the catalog keeps which records of which object went into which batch, written
 * before the batch is made (see catalog.ts). So a replay that was cut off, by a crash too, is simply
 * run again. Jobs themselves live in memory, and a restart forgets them.
 */
import type { DeliveryStream } from './delivery-stream.ts'

/**
 * `error`: a line of JSON for each record, as Firehose writes errors. `records`: records back to back,
 * each up to and with its newline.
 */
export type ReplayFormat = 'error' | 'records'

export interface ReplayRequest {
  /** Whose error output or backup is read, unless `source` says otherwise. */
  readonly stream: DeliveryStream
  /** Where the records go. */
  readonly target: DeliveryStream
  /** Objects whose keys begin with the prefix. */
  readonly source?: { readonly bucket: string; readonly prefix: string }
  /** Absent: `error` for the stream's own, else by what each object begins with. */
  readonly format?: ReplayFormat
  /** Of errors by their arrival, of records by the time in the object's name; `toMs` is excluded. */
  readonly fromMs?: number
  readonly toMs?: number
  /** Only errors with this code. */
  readonly errorCode?: string
  readonly recordsPerSecond?: number
  /** Counts, and changes nothing. */
  readonly dryRun: boolean
}

export interface ReplayCounts {
  /** Objects read to their end. */
  readonly objectCount: number
  readonly readCount: number
  /** Of those read, the ones that the request asks for; they were replayed now, earlier, or will be. */
  readonly selectedCount: number
  readonly replayedCount: number
  readonly alreadyReplayedCount: number
}

export interface ReplayStatus {
  readonly replayId: string
  readonly state: 'running' | 'completed' | 'failed' | 'cancelled'
  readonly request: ReplayRequest
  readonly startedAtMs: number
  readonly endedAtMs: number | undefined
  readonly counts: ReplayCounts
  /** Why it has failed, or what it is waiting for. */
  readonly message: string | undefined
}

/** A replay that is not begun; `busy`: one at a time is. */
export class ReplayRefused extends Error {
  override readonly name = 'ReplayRefused'
  readonly reason: 'busy' | 'impossible'

  constructor(reason: 'busy' | 'impossible', message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

export interface Replays {
  /**
   * Begins one, unless one is running into the same target, or too many in all.
   * @throws ReplayRefused
   */
  start(request: ReplayRequest): ReplayStatus
  /** Of a stream as the request names it, newest first; of those that have ended the latest only. */
  list(streamName: string): readonly ReplayStatus[]
  find(streamName: string, replayId: string): ReplayStatus | undefined
  /** Resolves when it has ended. Harmless when it had. */
  cancel(replayId: string): Promise<void>
  /** Cancels all, and takes no more. */
  close(): Promise<void>
}
