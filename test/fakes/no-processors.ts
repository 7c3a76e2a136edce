import type { BatchContents } from '../../src/batch-store.ts'
import { Processing } from '../../src/pipeline/processing.ts'
import type { ProcessorTools } from '../../src/processors/index.ts'

/** For streams without processors; one with them fails. */
export function noProcessors(contents: BatchContents): Processing {
  return new Processing(contents, {} as ProcessorTools)
}

/** Staging of stores whose batches have no processors. */
export const NO_STAGING = {
  stage: () => Promise.reject(new Error('nothing is staged here')),
  staged: () => Promise.resolve(undefined),
  unstage: () => Promise.resolve(),
}

/** What a host is told of processors where there are none. */
export const NO_EXECUTIONS = {
  lend: () => Promise.reject(new Error('no claim takes long here')),
  observe: () => {},
}
