/** How operations find and change the stream that they are asked for. */
import { CatalogConflict } from '../../catalog.ts'
import type { DeliveryStream } from '../../delivery-stream.ts'
import type { ApiContext } from '../context.ts'
import { ApiError, invalidArgument, streamNotFound } from '../exceptions.ts'

/** @throws ApiError ResourceNotFoundException */
export function existingStream(context: ApiContext, name: string): DeliveryStream {
  const stream = context.registry.find(name)
  if (stream === undefined) throw streamNotFound(name, context.accountId)
  return stream
}

/**
 * The stream if it takes records: to a put, a stream that is being created or deleted isn't there.
 * @throws ApiError ResourceNotFoundException
 */
export function activeStream(context: ApiContext, name: string): DeliveryStream {
  const stream = existingStream(context, name)
  if (stream.status !== 'ACTIVE') throw streamNotFound(name, context.accountId)
  return stream
}

/**
 * As activeStream, for puts: what reads a source takes none.
 * @throws ApiError ResourceNotFoundException or InvalidArgumentException
 */
export function directPutStream(context: ApiContext, name: string): DeliveryStream {
  const stream = activeStream(context, name)
  if (stream.type === 'DirectPut') return stream
  throw invalidArgument(`This operation is not permitted on ${stream.type} delivery stream type.`)
}

/**
 * Applies `change` to the stream as it is at that moment. Nothing is written when `change` returns
 * its argument; what it throws is the answer.
 * @throws ApiError ResourceNotFoundException, or ResourceInUseException unless it is ACTIVE
 */
export async function changeActiveStream(
  context: ApiContext,
  name: string,
  change: (current: DeliveryStream) => DeliveryStream,
): Promise<DeliveryStream> {
  const { streamId } = existingStream(context, name)
  try {
    return await context.registry.change(streamId, (current) => {
      if (current.status !== 'ACTIVE') throw notActive(current, context.accountId)
      return change(current)
    })
  } catch (error) {
    if (error instanceof CatalogConflict) throw streamNotFound(name, context.accountId)
    throw error
  }
}

function notActive({ name, status }: DeliveryStream, accountId: string): ApiError {
  const message = `Firehose ${name} under accountId ${accountId} is in ${status} state, not ACTIVE`
  return new ApiError('ResourceInUseException', message)
}
