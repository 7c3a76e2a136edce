import { LocalLeases } from '../../src/embedded/local-leases.ts'
import { partitionLeasesContract } from './partition-leases.ts'

partitionLeasesContract('local', () =>
  Promise.resolve({ leases: new LocalLeases(), [Symbol.asyncDispose]: () => Promise.resolve() }),
)
