import { LocalQueue } from '../../src/embedded/local-queue.ts'
import { deliveryQueueContract } from './delivery-queue.ts'
import type { OpenQueue } from './delivery-queue.ts'
import { claimsContract } from './delivery-queue-claims.ts'
import { lendingContract } from './delivery-queue-lending.ts'

const open: OpenQueue = async (setting) => {
  const queue = new LocalQueue(setting)
  return { queue, [Symbol.asyncDispose]: () => queue.close() }
}

deliveryQueueContract('local queue', open)
lendingContract('local queue', open)
claimsContract('local queue', open)
