/** Events for a function that is tried out: from a file as AWS would send it, or made of records. */
import { readFile } from 'node:fs/promises'
import type { Clock } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'
import { makeUuid } from '../base/uuid.ts'
import { readLines } from '../formats/lines.ts'
import type { TransformationEvent, TransformationRecord } from '../functions.ts'
import type { Settings } from '../settings.ts'
import { CommandError } from './command.ts'

/** As Lambda has it, and as much as a record of Firehose may have. */
const EVENT_BYTES_MAX = 6 * 1024 * 1024
const LINE_BYTES_MAX = 1_024_000

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

type Surroundings = Omit<TransformationEvent, 'records'>

/** What an event says besides its records, where a file does not. */
export function surroundings(
  { region, accountId }: Pick<Settings, 'region' | 'accountId'>,
  clock: Clock,
): Surroundings {
  return {
    invocationId: makeUuid(clock),
    deliveryStreamArn: `arn:aws:firehose:${region}:${accountId}:deliverystream/test`,
    region,
  }
}

/**
 * A file with AWS's event. `invocationId`, `deliveryStreamArn` and `region` may be left out, and the
 * time of arrival of a record; members that are unknown here are passed on.
 * @throws CommandError
 */
export async function readEvent(
  path: string,
  around: Surroundings,
  clock: Clock,
): Promise<TransformationEvent> {
  const event = parse(await readBounded(path), path)
  const refuse = (reason: string): never => {
    throw new CommandError(`Cannot use ${path}: ${reason}`)
  }
  if (!isJsonObject(event)) return refuse('the event must be a JSON object')
  const { records } = event
  if (!Array.isArray(records))
    return refuse('records must be a list; see --records for raw records')
  for (const member of ['invocationId', 'deliveryStreamArn', 'region']) {
    const value = event[member]
    if (value !== undefined && typeof value !== 'string') refuse(`${member} must be text`)
  }
  const ids = new Set<unknown>()
  const checked = records.map((record: unknown, index): TransformationRecord => {
    const place = `records[${index}]`
    if (!isJsonObject(record)) return refuse(`${place} must be an object`)
    const { recordId, kafkaRecordValue, approximateArrivalTimestamp = clock.nowMs() } = record
    // As AWS calls it where it reads from Kafka.
    const { data = kafkaRecordValue } = record
    if (typeof recordId !== 'string' || recordId === '') {
      return refuse(`${place}.recordId must be text that is not empty`)
    }
    if (ids.has(recordId)) refuse(`${place}.recordId is there twice`)
    ids.add(recordId)
    if (typeof data !== 'string' || !BASE64.test(data)) {
      return refuse(`${place}.data must be base64; see --records for raw records`)
    }
    if (typeof approximateArrivalTimestamp !== 'number') {
      return refuse(`${place}.approximateArrivalTimestamp must be a number of ms`)
    }
    return { ...record, recordId, data, approximateArrivalTimestamp }
  })
  return { ...around, ...event, records: checked }
}

/**
 * An event of the lines of a file.
 * @throws CommandError
 */
export async function eventOfLines(
  path: string,
  around: Surroundings,
  clock: Clock,
): Promise<TransformationEvent> {
  const bytes = await readBounded(path)
  const records: TransformationRecord[] = []
  try {
    for await (const line of readLines(oneChunk(bytes), {
      lineBytesMax: LINE_BYTES_MAX,
      keepNewline: false,
    })) {
      records.push({
        recordId: String(records.length),
        approximateArrivalTimestamp: clock.nowMs(),
        data: line.toString('base64'),
      })
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new CommandError(`Cannot use ${path}: ${error.message}`)
  }
  return { ...around, records }
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

function parse(bytes: Buffer, path: string): unknown {
  try {
    return JSON.parse(bytes.toString()) as unknown
  } catch (cause) {
    const { message } = cause as Error
    throw new CommandError(`Cannot use ${path}: not JSON: ${message}`, undefined, { cause })
  }
}

async function readBounded(path: string): Promise<Buffer> {
  const bytes = await readFile(path).catch((cause: Error) => {
    throw new CommandError(`Cannot read ${path}: ${cause.message}`, undefined, { cause })
  })
  if (bytes.byteLength <= EVENT_BYTES_MAX) return bytes
  throw new CommandError(`Cannot use ${path}: it has more than 6 MiB, which no invocation takes`)
}
