import type { Chance } from './chance.ts'
import { NO_FUNCTION_FAULTS } from './simulated-functions.ts'
import type { FunctionFaults } from './simulated-functions.ts'
import { NO_DISK_FAULTS } from './simulated-file-system.ts'
import type { DiskFaults } from './simulated-file-system.ts'
import { NO_INDEX_FAULTS } from './simulated-index.ts'
import type { IndexFaults } from './simulated-index.ts'
import { NO_NETWORK_FAULTS } from './simulated-network.ts'
import type { NetworkFaults } from './simulated-network.ts'
import { NO_OBJECT_STORE_FAULTS } from './simulated-object-store.ts'
import type { ObjectStoreFaults } from './simulated-object-store.ts'

/** What may go wrong for a while, part by part of the world. */
export interface Faults {
  readonly disk: DiskFaults
  readonly buckets: ObjectStoreFaults
  readonly index: IndexFaults
  readonly toIndex: NetworkFaults
  readonly toEndpoint: NetworkFaults
  readonly functions: FunctionFaults
  readonly databaseFailing: number
}

export const NO_FAULTS: Faults = {
  disk: NO_DISK_FAULTS,
  buckets: NO_OBJECT_STORE_FAULTS,
  index: NO_INDEX_FAULTS,
  toIndex: NO_NETWORK_FAULTS,
  toEndpoint: NO_NETWORK_FAULTS,
  functions: NO_FUNCTION_FAULTS,
  databaseFailing: 0,
}

/** What goes wrong during one life; often nothing but its end. */
export function drawFaults(chance: Chance, capacityBytes: number): Faults {
  const ofDisk = drawRates(chance)
  const ofBuckets = drawRates(chance)
  const ofIndex = drawRates(chance)
  const ofFunctions = drawRates(chance)
  return {
    disk: {
      write: ofDisk(0.02),
      datasync: ofDisk(0.02),
      other: ofDisk(0.01),
      takenBytes: ofDisk(1) && chance.integer(capacityBytes / 2, capacityBytes),
    },
    buckets: {
      unavailable: ofBuckets(0.3),
      forbidden: ofBuckets(0.1),
      answerLost: ofBuckets(0.3),
      hangs: ofBuckets(0.1),
    },
    index: { busy: ofIndex(0.5), shardFails: ofIndex(0.2) },
    toIndex: networkFaults(drawRates(chance)),
    toEndpoint: networkFaults(drawRates(chance)),
    functions: {
      fails: ofFunctions(0.3),
      hangs: ofFunctions(0.1),
      slow: ofFunctions(0.2),
      missing: ofFunctions(0.1),
      malformed: ofFunctions(0.1),
    },
    databaseFailing: drawRates(chance)(0.1),
  }
}

/** A part of the world is sound through half of the lives; else several things go wrong with it. */
function drawRates(chance: Chance): (rate: number) => number {
  const isSound = chance.happens(0.5)
  return (rate) => (!isSound && chance.happens(0.5) ? rate : 0)
}

function networkFaults(rateOf: (rate: number) => number): NetworkFaults {
  return {
    unavailable: rateOf(0.5),
    unauthorized: rateOf(0.05),
    tooLarge: rateOf(0.05),
    answerLost: rateOf(0.4),
    cut: rateOf(0.5),
    hangs: rateOf(0.3),
  }
}
