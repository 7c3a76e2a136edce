/**
 * What the outside has seen of processing: the runs of functions, and which of them are staged. It
 * outlives the processes.
 */
import type { BatchId, SealedBatch } from '../../src/batch.ts'
import type { BatchContents } from '../../src/batch-store.ts'
import type { ProcessedIndex } from '../../src/pipeline/processed-index.ts'
import type { StagingWriter } from '../../src/staging.ts'
import type { Sender } from './simulated-endpoint.ts'
import type { Run, RunWatcher } from './simulated-functions.ts'

interface History {
  /** Which of them is staged can't be told from here where a process died meanwhile. */
  staged: Run[]
  /** The staged one is durable. */
  isSettled: boolean
  /** The last of each process. */
  readonly latest: Map<object, Run>
  /** Those of them that may be repeated by their processes. */
  readonly excused: Set<Run>
  /** Processes that have lent a claim of it. */
  readonly lentBy: Set<object>
}

/** A claim is lent before a call has taken so long. */
const LENT_AFTER_MS = 5_500

export class Processings implements RunWatcher {
  /** What should not have been, in words. */
  readonly violations: string[] = []
  readonly #histories = new Map<BatchId, History>()

  begun(run: Run): void {
    const { batchId, versionId, number, owner } = run
    const { staged, isSettled, latest, excused } = this.#history(batchId)
    if (isSettled && staged[0]?.versionId === versionId)
      this.violations.push(
        `run ${number} of batch ${batchId} came when run ${staged[0].number} was staged`,
      )
    const former = latest.get(owner)
    if ((owner as Sender).diskIsSound && former?.versionId === versionId && !excused.has(former))
      this.violations.push(
        `run ${number} of batch ${batchId} came after run ${former.number} of the same process`,
      )
    latest.set(owner, run)
  }

  called({ number, batchId, owner }: Run, durationMs: number): void {
    if (durationMs > LENT_AFTER_MS && !this.#history(batchId).lentBy.has(owner))
      this.violations.push(
        `run ${number} of batch ${batchId} kept its claim for ${Math.round(durationMs)} ms`,
      )
  }

  /** The claim of a batch is in nobody's way any more. */
  lent(batchId: BatchId, owner: Sender): void {
    this.#history(batchId).lentBy.add(owner)
  }

  /** Bits flipped in what was staged. */
  rotted(batchId: BatchId): void {
    this.#unsettle(batchId)
  }

  /** Batches that functions have been at, with the runs of which one is staged, or was. */
  *staged(): Generator<readonly [BatchId, readonly Run[]]> {
    for (const [batchId, { staged }] of this.#histories) {
      if (staged.length > 0) yield [batchId, staged]
    }
  }

  /**
   * Sees what one process stages.
   * @param onStaged told of each batch of which something is staged now, durably
   */
  watch(real: BatchContents, owner: Sender, onStaged: (batchId: BatchId) => void): BatchContents {
    return {
      read: (batch, range) => real.read(batch, range),
      manifest: (batch) => real.manifest(batch),
      freeze: (batch, manifest) => real.freeze(batch, manifest),
      thaw: (batch) => real.thaw(batch),
      staged: (batch) => real.staged(batch),
      unstage: async (batch) => {
        const history = this.#unsettle(batch.batchId)
        await real.unstage(batch)
        history.staged = []
      },
      stage: (batch) => this.#stage(real, batch, owner, onStaged),
    }
  }

  async #stage(
    real: BatchContents,
    batch: SealedBatch,
    owner: Sender,
    onStaged: (batchId: BatchId) => void,
  ): Promise<StagingWriter> {
    const history = this.#history(batch.batchId)
    /** What could not be staged may be made again. */
    const excused = async <Value>(act: Promise<Value>): Promise<Value> => {
      try {
        return await act
      } catch (error) {
        excuseLatest(history, owner)
        throw error
      }
    }
    const writer = await excused(real.stage(batch))
    return {
      write: (block) => excused(writer.write(block)),
      abandon: () => writer.abandon(),
      finish: async (index) => {
        const { versionId } = JSON.parse(Buffer.from(index).toString()) as ProcessedIndex
        const last = history.latest.get(owner)
        // Where there was nothing to call a function for, there is none.
        const runs = last?.versionId === versionId ? [last] : []
        history.isSettled = false
        history.staged.push(...runs)
        await excused(writer.finish(index))
        history.staged = runs
        history.isSettled = true
        onStaged(batch.batchId)
      },
    }
  }

  #unsettle(batchId: BatchId): History {
    const history = this.#history(batchId)
    history.isSettled = false
    for (const owner of history.latest.keys()) excuseLatest(history, owner)
    return history
  }

  #history(batchId: BatchId): History {
    const known = this.#histories.get(batchId)
    if (known !== undefined) return known
    const made: History = {
      staged: [],
      isSettled: false,
      latest: new Map(),
      excused: new Set(),
      lentBy: new Set(),
    }
    this.#histories.set(batchId, made)
    return made
  }
}

function excuseLatest({ latest, excused }: History, owner: object): void {
  const run = latest.get(owner)
  if (run !== undefined) excused.add(run)
}
