/**
 * Takes the messages out of what a CloudWatch Logs subscription sends, as CloudWatchLogProcessing of
 * AWS does:
 *
 *   {"messageType":"DATA_MESSAGE","owner":…,"logGroup":…,"logEvents":[{"id":…,"message":"…"},…]}
 *
 * becomes one record of all messages, each with a line feed behind it. A CONTROL_MESSAGE, by which
 * CloudWatch Logs tries a destination out, becomes an empty record.
 */
import { isUtf8 } from 'node:buffer'
import type { Clock } from '../../base/clock.ts'
import { isJsonObject } from '../../base/json.ts'
import type { ProcessingJob, ProcessingRecord, Processor, Records } from '../../processor.ts'

export interface CloudWatchLogsOptions {
  /** Without it, whatever came passes as it is. */
  readonly messageExtraction: boolean
  readonly clock: Clock
}

export function cloudWatchLogs({ messageExtraction, clock }: CloudWatchLogsOptions): Processor {
  return {
    process: (records, job) => (messageExtraction ? extract(records, job, clock) : records),
  }
}

async function* extract(records: Records, job: ProcessingJob, clock: Clock): Records {
  for await (const group of records) {
    const out: ProcessingRecord[] = []
    for (const record of group) {
      const messages = messagesIn(record.data)
      if (messages !== undefined) {
        out.push({ ...record, data: Buffer.from(messages) })
        continue
      }
      job.fail(record, {
        errorOutputType: 'processing-failed',
        errorCode: 'CloudWatchLogProcessing.InvalidEnvelope',
        errorMessage: 'Cannot extract messages: the record is not an envelope of CloudWatch Logs',
        attemptsMade: 1,
        atMs: clock.nowMs(),
      })
    }
    if (out.length > 0) yield out
  }
}

/** All messages with their line feeds; undefined when this is no envelope. */
function messagesIn(data: Buffer): string | undefined {
  const envelope = parsed(data)
  if (!isJsonObject(envelope)) return undefined
  const { messageType, logEvents } = envelope
  if (messageType === 'CONTROL_MESSAGE') return ''
  if (messageType !== 'DATA_MESSAGE' || !Array.isArray(logEvents)) return undefined
  let messages = ''
  for (const event of logEvents as readonly unknown[]) {
    if (!isJsonObject(event) || typeof event['message'] !== 'string') return undefined
    messages += `${event['message']}\n`
  }
  return messages
}

function parsed(data: Buffer): unknown {
  if (!isUtf8(data)) return undefined
  try {
    return JSON.parse(data.toString())
  } catch {
    return undefined
  }
}
