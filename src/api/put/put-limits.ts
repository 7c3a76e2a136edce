/** Limits of the put operations, in records and in bytes before base64. */
export const RECORD_BYTES_MAX = 1_024_000
export const BATCH_RECORD_COUNT_MAX = 500
export const BATCH_BYTES_MAX = 4 * 1024 * 1024
