import type { StoredChunk } from '../batch-store.ts'

/** The chunks, each shown before it is handed on, so that two may read a batch in one pass. */
export async function* passingChunks(
  chunks: AsyncIterable<StoredChunk>,
  show: (chunk: StoredChunk) => Promise<void> | void,
): AsyncGenerator<StoredChunk> {
  for await (const chunk of chunks) {
    await show(chunk)
    yield chunk
  }
}
