import { LocalQueue } from '../../src/embedded/local-queue.ts'
import { deliveryQueueContract } from './delivery-queue.ts'

deliveryQueueContract('local queue', async (setting) => {
  const queue = new LocalQueue(setting)
  return { queue, [Symbol.asyncDispose]: () => queue.close() }
})
