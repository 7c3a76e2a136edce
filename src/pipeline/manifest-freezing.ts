import { strict as assert } from 'node:assert'
import type { SealedBatch } from '../batch.ts'
import type { DeliveryStream } from '../delivery-stream.ts'
import type { EncodedOutput } from '../destination.ts'
import { ERROR_OUTPUT_KIND } from '../error-output.ts'
import type { FrozenOutput, Manifest } from '../manifest.ts'
import type { SourceProcessing } from './processed-batch.ts'

export interface Encoded {
  /** As it was accepted. */
  readonly batch: SealedBatch
  /** The stream as it was when the names were fixed. */
  readonly stream: DeliveryStream
  readonly frozenAtMs: number
  readonly outputs: readonly EncodedOutput[]
  readonly quarantinedCount: number
  /** Absent: no processors ran. */
  readonly processing: Pick<SourceProcessing, 'droppedCount' | 'madeCount' | 'summary'> | undefined
}

/** The manifest that says what was encoded. Its outputs account for each record of the batch once. */
export function manifestOf(encoded: Encoded): Manifest {
  const { batch, stream, frozenAtMs, outputs, quarantinedCount, processing } = encoded
  const { droppedCount = 0, madeCount = 0 } = processing ?? {}
  const accounted = outputs
    .filter((output) => output.accounting !== 'copy')
    .reduce((sum, output) => sum + output.recordCount, quarantinedCount + droppedCount)
  assert.equal(accounted, batch.recordCount + madeCount, 'outputs account for each record once')
  return {
    batchId: batch.batchId,
    versionId: stream.versionId,
    destinationType: stream.destinationType,
    destination: stream.destination,
    frozenAtMs,
    outputs: outputs.map(frozenOutput),
    droppedCount,
    ...(madeCount > 0 && { madeCount }),
    quarantinedCount,
    ...(processing !== undefined && { processing: processing.summary }),
  }
}

export function frozenOutput(output: EncodedOutput): FrozenOutput {
  const { content, kind, target, accounting, recordCount, range } = output
  return {
    kind,
    target,
    accounting,
    recordCount,
    ...(range !== undefined && { range }),
    sizeBytes: content?.sizeBytes ?? 0,
    sha256: content?.sha256 ?? '',
    formerSha256s: [],
  }
}

/**
 * What a frozen batch came out as this time, against what it was frozen as. Equal but for two causes:
 * a chunk went bad since, or another version of a codec runs. Names stay, and the former hashes are
 * kept, so that an object written under one of them is known for what it is.
 * @returns `frozen` itself when the bytes are the same
 */
export function refreeze(frozen: Manifest, next: Manifest): Manifest {
  const isErrorOutput = ({ kind }: FrozenOutput): boolean => kind === ERROR_OUTPUT_KIND
  const keptCount = frozen.outputs.filter((output) => !isErrorOutput(output)).length
  assert.equal(next.outputs.length, keptCount, 'a frozen batch keeps its outputs')
  const outputs = frozen.outputs.map((before, index): FrozenOutput => {
    const now = next.outputs[index]
    return now === undefined ? before : refreezeOutput(before, now)
  })
  if (outputs.every((output, index) => output === frozen.outputs[index])) return frozen
  return { ...frozen, outputs, quarantinedCount: next.quarantinedCount }
}

/** @returns `before` itself when it is the same */
export function refreezeOutput(before: FrozenOutput, now: FrozenOutput): FrozenOutput {
  const { sha256, sizeBytes, recordCount } = now
  if (sha256 === before.sha256 && recordCount === before.recordCount) return before
  const formerSha256s =
    sha256 === before.sha256 ? before.formerSha256s : [...before.formerSha256s, before.sha256]
  return { ...before, sha256, sizeBytes, recordCount, formerSha256s }
}
