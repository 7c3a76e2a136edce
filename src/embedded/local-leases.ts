import type { PartitionLeases } from '../partition-leases.ts'

/** There is one process: it reads all partitions. */
export class LocalLeases implements PartitionLeases {
  readonly renewMs = 1_000

  renew(_streamId: string, partitions: readonly string[]): Promise<readonly string[]> {
    return Promise.resolve(partitions)
  }

  release(): Promise<void> {
    return Promise.resolve()
  }
}
