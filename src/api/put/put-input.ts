/** What PutRecord and PutRecordBatch bring, however it was read. */
export interface PutInput {
  readonly streamName: string
  readonly recordCount: number
  /** Laid out as a chunk's payload (src/chunk.ts). */
  readonly payload: Buffer
}

export type PutOperationName = 'PutRecord' | 'PutRecordBatch'
