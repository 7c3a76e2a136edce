import { expect, test } from 'vitest'
import { catalogContract } from '../contracts/catalog.ts'
import type { CatalogUnderTest } from '../contracts/catalog.ts'
import { Chance } from './chance.ts'
import { Scheduler } from './scheduler.ts'
import { SimulatedDatabase } from './simulated-catalog.ts'
import { Trace } from './trace.ts'

catalogContract('simulated catalog', async () => {
  const scheduler = new Scheduler(new Trace())
  const database = new SimulatedDatabase(scheduler, new Chance(1))
  const disposed = new AbortController()
  async function passTime(): Promise<void> {
    while (!disposed.signal.aborted) await scheduler.runUntil(() => false, scheduler.nowMs + 10)
  }
  void passTime()

  function open(): CatalogUnderTest {
    const process = { alive: true }
    const catalog = database.open(process)
    return {
      catalog,
      async restart() {
        await catalog.close()
        process.alive = false
        return open()
      },
      async [Symbol.asyncDispose]() {
        disposed.abort()
      },
    }
  }
  return open()
})

test('what a process had not committed when it died is not there', async () => {
  const scheduler = new Scheduler(new Trace())
  const database = new SimulatedDatabase(scheduler, new Chance(1))
  const process = { alive: true }
  void database.open(process).pruneReceipts(0)
  const committed = scheduler.runUntil(() => scheduler.stepCount > 0, 1_000)
  process.alive = false
  expect(await committed).toBe(false)
})
