/** Undoes the GZIP of whole records, as AWS's Decompression does for those of CloudWatch Logs. */
import type { Clock } from '../../base/clock.ts'
import { DecompressionError, decompress } from '../../formats/decompression.ts'
import type {
  ProcessingFailure,
  ProcessingJob,
  ProcessingRecord,
  Processor,
} from '../../processor.ts'
import type { Records } from '../../processor.ts'

/** No producer of logs comes near; a bomb is given up here. */
const RECORD_BYTES_MAX = 64 * 1024 * 1024
/** Records are handed on before more than this has piled up, one large record aside. */
const GROUP_BYTES_MAX = 1024 * 1024

/** One at a time, so that no more than one bomb is in memory. Several members make one record. */
export function decompression({ clock }: { readonly clock: Clock }): Processor {
  return { process: (records, job) => decompressRecords(records, job, clock) }
}

async function* decompressRecords(records: Records, job: ProcessingJob, clock: Clock): Records {
  for await (const group of records) {
    let out: ProcessingRecord[] = []
    let outBytes = 0
    for (const record of group) {
      const data = await decompressRecord(record, job, clock)
      if (data === undefined) continue
      if (out.length > 0 && outBytes + data.byteLength > GROUP_BYTES_MAX) {
        yield out
        out = []
        outBytes = 0
      }
      out.push({ ...record, data })
      outBytes += data.byteLength
    }
    if (out.length > 0) yield out
  }
}

async function decompressRecord(
  record: ProcessingRecord,
  job: ProcessingJob,
  clock: Clock,
): Promise<Buffer | undefined> {
  try {
    return await decompress('gzip', record.data, RECORD_BYTES_MAX)
  } catch (error) {
    if (!(error instanceof DecompressionError)) throw error
    job.fail(record, failure(error, clock.nowMs()))
    return undefined
  }
}

function failure({ reason }: DecompressionError, atMs: number): ProcessingFailure {
  return {
    errorOutputType: 'decompression-failed',
    errorCode: 'Decompression failed.',
    errorMessage:
      reason === 'too-large'
        ? `Cannot decompress the record: it exceeds ${RECORD_BYTES_MAX} bytes`
        : 'Cannot decompress the record: it is not gzip',
    attemptsMade: 1,
    atMs,
  }
}
