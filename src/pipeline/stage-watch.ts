import type { Failure } from '../delivery-queue.ts'
import { EXPLAINED_MAX } from '../explanation.ts'
import type { ExplainedRecord, ExplainedStage } from '../explanation.ts'
import type { Processor } from '../processor.ts'
import type { Stage } from '../processors/index.ts'

/** A stage that notes what comes out of it. */
export class StageWatch implements Processor {
  readonly #stage: Stage
  readonly #records: ExplainedRecord[] = []
  readonly #failures: Failure[] = []
  #recordCount = 0
  #failedCount = 0
  #droppedCount = 0

  constructor(stage: Stage) {
    this.#stage = stage
  }

  seen(): ExplainedStage {
    return {
      name: this.#stage.name,
      records: this.#records,
      recordCount: this.#recordCount,
      failures: this.#failures,
      failedCount: this.#failedCount,
      droppedCount: this.#droppedCount,
    }
  }

  async *process(...[records, job]: Parameters<Processor['process']>) {
    const watched = {
      ...job,
      fail: (...[record, failure]: Parameters<typeof job.fail>) => {
        this.#noteFailure(failure)
        job.fail(record, failure)
      },
      drop: (...[record]: Parameters<typeof job.drop>) => {
        this.#droppedCount += 1
        job.drop(record)
      },
    }
    for await (const group of this.#stage.processor.process(records, watched)) {
      for (const record of group) this.#noteRecord(record)
      yield group
    }
  }

  /** Its memory is the stage's again when the next group is asked for. */
  #noteRecord({ data, keys }: ExplainedRecord): void {
    this.#recordCount += 1
    if (this.#records.length === EXPLAINED_MAX) return
    this.#records.push({ data: Buffer.from(data), ...(keys !== undefined && { keys }) })
  }

  #noteFailure({ errorCode, errorMessage }: Failure): void {
    this.#failedCount += 1
    if (this.#failures.length < EXPLAINED_MAX) this.#failures.push({ errorCode, errorMessage })
  }
}
