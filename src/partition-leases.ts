/**
 * Who reads which partition of a stream's source, where several processes could. A lease saves work and
 * is no promise: that a partition is taken over once is the store's to see to (chunk-origin.ts).
 */
export interface PartitionLeases {
  /** How often the holder of leases asks again; after three times as long without it they are free. */
  readonly renewMs: number
  /**
   * Takes part in reading the stream. Keeps what this process holds and takes what is free, up to its
   * fair share of `partitions`, all that can be read now; what is beyond the share, or not among them, it
   * gives back.
   * @returns what this process holds until it asks again
   */
  renew(streamId: string, partitions: readonly string[]): Promise<readonly string[]>
  /** Takes part no longer: what this process holds is free at once. */
  release(streamId: string): Promise<void>
}
