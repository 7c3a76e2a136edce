import type { MadeRecord, SinkLimits } from './record-sink.ts'
import { sizeOf } from './record-sink.ts'
import type { Template } from './templates/template.ts'

export interface RecordForm {
  readonly template: Template
  /** Ends each record; empty for none. */
  readonly delimiter: string
  /** Kinesis only. */
  readonly partitionKey?: Template
}

/** A record is larger than the service takes. */
export class RecordTooLarge extends Error {
  override readonly name = 'RecordTooLarge'
}

/** Makes one record after the other, and cuts them into what fits one request. */
export class RecordMaker {
  readonly #form: RecordForm
  readonly #limits: SinkLimits
  /** Made, but more than the last batch could hold. */
  #next: MadeRecord | undefined

  constructor(form: RecordForm, limits: SinkLimits) {
    this.#form = form
    this.#limits = limits
  }

  /**
   * At least one record, at most `countMax`, and no more than a request may hold.
   * @throws RecordTooLarge
   */
  batch(countMax: number): MadeRecord[] {
    const { recordsMax, batchBytesMax } = this.#limits
    const records: MadeRecord[] = []
    let bytes = 0
    while (records.length < Math.min(countMax, recordsMax)) {
      const record = this.#next ?? this.#make()
      this.#next = undefined
      bytes += sizeOf(record)
      if (bytes > batchBytesMax) {
        this.#next = record
        break
      }
      records.push(record)
    }
    return records
  }

  #make(): MadeRecord {
    const { template, delimiter, partitionKey } = this.#form
    const data = Buffer.from(template() + delimiter)
    const record = partitionKey === undefined ? { data } : { data, partitionKey: partitionKey() }
    const bytes = sizeOf(record)
    const { recordBytesMax } = this.#limits
    if (bytes <= recordBytesMax) return record
    throw new RecordTooLarge(
      `Cannot send a record of ${bytes} bytes: the service takes at most ${recordBytesMax}`,
    )
  }
}
