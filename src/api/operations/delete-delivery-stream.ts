import { CatalogConflict } from '../../catalog.ts'
import type { DeliveryStream } from '../../delivery-stream.ts'
import type { ApiContext } from '../context.ts'
import { streamNotFound } from '../exceptions.ts'
import type { Operation } from '../operation.ts'
import { streamNameOf } from './input-members.ts'
import { existingStream } from './stream-lookup.ts'

/**
 * Drops what the stream has buffered, as AWS does. A delete that failed half-way leaves the stream
 * DELETING; the next delete or the next start finishes it. AllowForceDelete changes nothing: there
 * are no KMS grants that could stand in the way.
 */
export const deleteDeliveryStream: Operation = async (input, context) => {
  const name = streamNameOf(input)
  const { streamId } = existingStream(context, name)
  try {
    const deleting = await context.registry.change(streamId, (current) =>
      current.status === 'DELETING' ? current : { ...current, status: 'DELETING' },
    )
    await erase(deleting, context)
  } catch (error) {
    if (error instanceof CatalogConflict) throw streamNotFound(name, context.accountId)
    throw error
  }
  return {}
}

/** Finishes the deletions that a crash interrupted. Called once at start, before any request. */
export async function finishDeletions(context: ApiContext): Promise<void> {
  const streams = context.registry.list()
  for (const stream of streams.filter(({ status }) => status === 'DELETING')) {
    await erase(stream, context)
  }
}

/** Every step may be repeated. The catalog comes last, because it remembers that there is work. */
async function erase({ streamId, name }: DeliveryStream, context: ApiContext): Promise<void> {
  const { intake, queue, ledger, registry, logger } = context
  const { books } = await ledger.status(streamId)
  await intake.discard(streamId)
  await queue.discard(streamId)
  ledger.discard(streamId)
  await registry.delete(streamId)
  // Not what is pending: the step that drops it may have been taken before a crash.
  const accountedCount = books.delivered + books.dropped + books.errored + books.quarantined
  const droppedCount = books.accepted + books.made - accountedCount
  if (droppedCount === 0) return
  const fields = { streamName: name, droppedCount }
  logger.warn(fields, 'Delivery stream deleted with records that were not delivered.')
}
