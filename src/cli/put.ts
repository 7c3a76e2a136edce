import { createReadStream } from 'node:fs'
import type { Firehose } from '@aws-sdk/client-firehose'
import { backoffMs } from '../base/backoff.ts'
import { formatByteSize } from '../base/byte-size.ts'
import { systemClock } from '../base/clock.ts'
import { CLIENT_HELP, CLIENT_OPTIONS, withClient } from './client.ts'
import { CommandError, print, takePositionals } from './command.ts'
import type { Command, Invocation } from './command.ts'
import { EXIT } from './exit-code.ts'
import { readLines } from '../formats/lines.ts'
import { Progress } from './progress.ts'

/** Limits of PutRecordBatch, and of one record, in bytes of data. */
const BATCH_RECORDS_MAX = 500
const BATCH_BYTES_MAX = 4 * 1024 * 1024
const RECORD_BYTES_MAX = 1_024_000
/** With back-off about a minute, on top of the SDK's own three attempts at each request. */
const ATTEMPTS_MAX = 12
const BACKOFF = { firstMs: 100, maxMs: 10_000 }

export const put: Command = {
  usage: 'put <stream> [<file>|-] [--progress]',
  summary: 'send the lines of a file or of stdin as records',
  help: `Sends each line as one record, in batches, and sends again what was not accepted. Lines lose their
newline; a stream with a delimiter puts it back. Ends with 0 when every record was accepted.

  --progress       tell how far it is
  --keep-newline   leave the newline in the record
  --ids            print the RecordId of each record, in order
${CLIENT_HELP}`,
  options: {
    ...CLIENT_OPTIONS,
    progress: { type: 'boolean' },
    'keep-newline': { type: 'boolean' },
    ids: { type: 'boolean' },
  },
  async run(invocation) {
    const [stream, file = '-'] = takePositionals(invocation, ['the name of the stream'], 1)
    return withClient(invocation, async ({ firehose }) => {
      await putLines(firehose, stream, file, invocation)
      return EXIT.ok
    })
  },
}

async function putLines(
  firehose: Firehose,
  stream: string,
  file: string,
  { flags }: Invocation,
): Promise<void> {
  const progress = new Progress(flags['progress'] === true, systemClock)
  const startMs = systemClock.monotonicMs()
  let recordCount = 0
  let dataBytes = 0
  const words = (): string => {
    const seconds = Math.max(systemClock.monotonicMs() - startMs, 1) / 1000
    const rate = Math.round(recordCount / seconds).toLocaleString('en')
    return `${recordCount.toLocaleString('en')} records, ${formatByteSize(dataBytes)}, ${rate} records/s`
  }
  try {
    for await (const batch of batches(file, flags['keep-newline'] === true)) {
      const ids = await putBatch(firehose, stream, batch)
      if (flags['ids'] === true) print(ids.join('\n'))
      recordCount += batch.length
      dataBytes += bytesOf(batch)
      progress.show(words())
    }
  } catch (error) {
    progress.end()
    if (recordCount > 0) process.stderr.write(`Accepted before that: ${words()}\n`)
    throw error
  }
  progress.end()
  process.stderr.write(`Put ${words()}\n`)
}

async function* batches(file: string, keepNewline: boolean): AsyncGenerator<Buffer[]> {
  const input = file === '-' ? process.stdin : createReadStream(file)
  let batch: Buffer[] = []
  let batchBytes = 0
  try {
    for await (const line of readLines(input, { lineBytesMax: RECORD_BYTES_MAX, keepNewline })) {
      const isFull =
        batch.length === BATCH_RECORDS_MAX || batchBytes + line.byteLength > BATCH_BYTES_MAX
      if (isFull) {
        yield batch
        batch = []
        batchBytes = 0
      }
      batch.push(line)
      batchBytes += line.byteLength
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if (!(error instanceof RangeError) && !('syscall' in error)) throw error
    throw new CommandError(`Cannot read ${file}: ${error.message}`, EXIT.failed, { cause: error })
  }
  if (batch.length > 0) yield batch
}

/** Resolves with the RecordIds when every record of the batch is accepted. */
async function putBatch(
  firehose: Firehose,
  DeliveryStreamName: string,
  batch: readonly Buffer[],
): Promise<string[]> {
  const ids: string[] = []
  let open = [...batch.entries()]
  for (let attempt = 1; ; attempt += 1) {
    const answer = await firehose.putRecordBatch({
      DeliveryStreamName,
      Records: open.map(([, Data]) => ({ Data })),
    })
    const refused: typeof open = []
    let reason = ''
    for (const [index, response] of (answer.RequestResponses ?? []).entries()) {
      const entry = open[index]
      if (entry === undefined) continue
      if (response.RecordId !== undefined) ids[entry[0]] = response.RecordId
      else {
        refused.push(entry)
        reason = `${response.ErrorCode}: ${response.ErrorMessage}`
      }
    }
    if (refused.length === 0) return ids
    if (attempt === ATTEMPTS_MAX) {
      throw new CommandError(`Cannot put ${refused.length} records: ${reason}`)
    }
    open = refused
    await systemClock.sleep(backoffMs(BACKOFF, attempt, systemClock))
  }
}

function bytesOf(batch: readonly Buffer[]): number {
  return batch.reduce((sum, { byteLength }) => sum + byteLength, 0)
}
