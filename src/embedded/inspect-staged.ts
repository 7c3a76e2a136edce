import { StagingDamaged } from '../staging.ts'
import type { BatchName } from './batch-paths.ts'
import type { OpenFile } from './file-system.ts'
import type { StagedHeader } from './staged-file.ts'
import { readBlock, readLayout } from './staged-reader.ts'

/** A line of `showBatch` for a staged file. */
export type StagedPart =
  | { readonly part: 'header'; readonly header: StagedHeader }
  | {
      readonly part: 'block'
      readonly state: 'plain' | 'encrypted' | 'damaged'
      readonly offset: number
      readonly sizeBytes: number
    }
  | { readonly part: 'index'; readonly offset: number; readonly sizeBytes: number }

/**
 * What is in a staged file, in the order in which it is there.
 * @throws StagingDamaged when more is damaged than blocks
 */
export async function* showStaged(
  file: OpenFile,
  { batchId }: BatchName,
): AsyncGenerator<StagedPart> {
  const layout = await readLayout(file, batchId)
  const { header, table, index, indexOffset } = layout
  const wholeState = header.wrappedDataKey === undefined ? 'plain' : 'encrypted'
  yield { part: 'header', header }
  for (let block = 0; block < table.count; block += 1) {
    const isWhole = await withoutDamage(readBlock(file, layout, block))
    const { offset, sizeBytes } = table.get(block)
    yield { part: 'block', state: isWhole ? wholeState : 'damaged', offset, sizeBytes }
  }
  yield { part: 'index', offset: indexOffset, sizeBytes: index.byteLength }
}

/** Whether all of a staged file can be read back, but for its key. */
export function isStagedWhole(file: OpenFile, name: BatchName): Promise<boolean> {
  return withoutDamage(checkAll(file, name))
}

async function checkAll(file: OpenFile, { batchId }: BatchName): Promise<void> {
  const layout = await readLayout(file, batchId)
  for (let block = 0; block < layout.table.count; block += 1) await readBlock(file, layout, block)
}

async function withoutDamage(reading: Promise<unknown>): Promise<boolean> {
  try {
    await reading
    return true
  } catch (error) {
    if (error instanceof StagingDamaged) return false
    throw error
  }
}
