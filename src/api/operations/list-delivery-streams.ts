import type { Operation } from '../operation.ts'
import { pageAfter } from './page.ts'

const LIMIT_DEFAULT = 10

/** In alphabetical order; streams that are being deleted are still there. */
export const listDeliveryStreams: Operation = async (input, { registry }) => {
  const type = input['DeliveryStreamType']
  const names = registry
    .list()
    .filter((stream) => type === undefined || stream.type === type)
    .map((stream) => stream.name)
  const { page, hasMore } = pageAfter(
    names,
    (name) => name,
    input['ExclusiveStartDeliveryStreamName'],
    Number(input['Limit'] ?? LIMIT_DEFAULT),
  )
  return { DeliveryStreamNames: page, HasMoreDeliveryStreams: hasMore }
}
