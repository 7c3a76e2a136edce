/** What is known of a record whose batch is not delivered yet: where it waits, and why. */
import type { JsonObject } from '../../base/json.ts'
import type { QueuedBatch } from '../../delivery-queue.ts'
import { ERROR_OUTPUT_KIND } from '../../error-output.ts'
import { ManifestDamaged } from '../../manifest.ts'
import type { FrozenOutput, Manifest } from '../../manifest.ts'
import type { ApiContext } from '../context.ts'
import { describeFailure } from './stream-status.ts'
import { holds, isPlaced } from './whereabouts.ts'

export async function describeWaiting(
  queued: QueuedBatch,
  ordinal: number,
  context: ApiContext,
): Promise<JsonObject> {
  const { batch, state, attempt, nextAttemptMs, lastFailure } = queued
  const { clock, queue, registry } = context
  const delayMs = nextAttemptMs === undefined ? 0 : nextAttemptMs - clock.monotonicMs()
  const outputs = await attemptedOutputs(queued, ordinal, context)
  const { state: streamState } = await queue.status(batch.streamId)
  return {
    State: state,
    DeliveryStreamName: registry.byId(batch.streamId)?.name,
    StreamState: streamState,
    Attempt: attempt,
    // Of a batch that waits for its turn there is nothing to tell.
    ...(delayMs > 0 && { NextAttemptTimestamp: (clock.nowMs() + delayMs) / 1_000 }),
    ...describeFailure(lastFailure),
    ...(outputs.length > 0 && { Outputs: outputs }),
  }
}

/** What the attempts so far have come to for the record. */
async function attemptedOutputs(
  { batch }: QueuedBatch,
  ordinal: number,
  { store }: ApiContext,
): Promise<JsonObject[]> {
  const manifest = await store.manifest(batch).catch((error: unknown): Manifest | undefined => {
    // Then the batch is parked, and says so.
    if (error instanceof ManifestDamaged) return undefined
    throw error
  })
  if (manifest === undefined || manifest.thawed !== undefined) return []
  if (!isPlaced(manifest.processing, ordinal)) return []
  const isRefused = manifest.outputs.some((output) => refusalOf(output, ordinal) !== undefined)
  return manifest.outputs
    .filter(({ kind, accounting, range }) => {
      if (kind === ERROR_OUTPUT_KIND) return isRefused
      // Their records are others: those that processors failed.
      if (accounting === 'errored') return false
      return range === undefined || (ordinal >= range.from && ordinal < range.to)
    })
    .map((output) => describeOutput(output, ordinal))
}

function refusalOf({ progress }: FrozenOutput, ordinal: number) {
  return progress?.refused.find((refusal) => refusal.ordinal === ordinal)
}

function describeOutput(output: FrozenOutput, ordinal: number): JsonObject {
  const { kind, target, accounting, progress } = output
  const place = { Kind: kind, Target: target, Accounting: accounting }
  // Written before the first attempt and after each one that has failed.
  if (progress === undefined) return { ...place, State: 'waiting' }
  const attempts = {
    Attempts: progress.attempts,
    LastAttemptTimestamp: progress.lastAttemptAtMs / 1_000,
  }
  const refusal = refusalOf(output, ordinal)
  if (refusal !== undefined) {
    return { ...place, ...attempts, State: 'refused', ...describeFailure(refusal) }
  }
  if (!holds(progress.pending, ordinal)) return { ...place, ...attempts, State: 'arrived' }
  return {
    ...place,
    ...attempts,
    State: holds(progress.unknown, ordinal) ? 'unknown' : 'waiting',
    ...describeFailure(progress.lastFailure),
  }
}
