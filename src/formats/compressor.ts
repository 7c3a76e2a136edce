/** Where a compressor's output goes. It is done with the bytes when its promise resolves. */
export type Sink = (bytes: Uint8Array) => Promise<void>

/** A stream of bytes into a container format, in constant memory. */
export interface Compressor {
  /**
   * Resolves when the bytes are taken and may be reused. Never called concurrently. Rejects with the
   * error of the codec or of the sink; the compressor is of no use after that and can be dropped.
   */
  write(bytes: Uint8Array): Promise<void>
  /** Ends the container. Called once; resolves when the sink has everything. */
  finish(): Promise<void>
  /** In place of all else, for an input that is there as a whole: the same output, for less. */
  finishWith?(bytes: Uint8Array): Promise<void>
}
