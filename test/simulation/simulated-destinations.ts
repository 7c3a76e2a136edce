/**
 * Two destinations that deliver record by record or request by request, as those of the real services
 * do: `Index` is exactly-once, by documents named after their records, and `Endpoint` at-least-once, by
 * requests that are the same on every repeat. Both make several outputs of a batch, may copy all of it
 * to a bucket, and give up after a retry duration.
 */
import { strict as assert } from 'node:assert'
import type { StoredChunk } from '../../src/batch-store.ts'
import { recordsOf } from '../../src/chunk.ts'
import type {
  DeliverJob,
  Destination,
  DestinationType,
  EncodedOutput,
  EncodeJob,
  FailurePolicy,
  RecordFailure,
} from '../../src/destination.ts'
import { DeliveryError } from '../../src/destination.ts'
import type { OrdinalRange } from '../../src/manifest.ts'
import type { ObjectStore } from '../../src/object-store.ts'
import type {
  DeliveryConfiguration,
  DeliveryRules,
} from '../../src/objects/delivery-configuration.ts'
import { deliveryBuffering, planBackup } from '../../src/objects/delivery-configuration.ts'
import { encodeObjects, putObject } from '../../src/objects/object-outputs.ts'
import { encodeRecordId } from '../../src/record.ts'
import type { EndpointConnection } from './simulated-endpoint.ts'
import type { DocumentAnswer, IndexConnection, IndexDocument } from './simulated-index.ts'

/** As stored. The prefix of what a stream writes is the name of its index, too. */
export type SimulatedConfiguration = DeliveryConfiguration & { readonly Prefix: string }

export const DOCUMENTS = 'documents'
export const REQUEST = 'request'

const RULES: DeliveryRules = {
  sizeInMBs: { default: 1, max: 1 },
  intervalInSeconds: { default: 1, max: 1 },
  retrySeconds: 0,
  backupModes: ['FailedOnly', 'All'],
}
const OUTPUT_RECORDS_MAX = 5

/** What a destination said of records that it did not take, by their text. */
export type Refusals = Map<string, Set<string>>

/** What is different between the two. */
interface Kind {
  readonly name: string
  readonly outputKind: string
  readonly atLeastOnce: boolean
  target(
    configuration: SimulatedConfiguration,
    batchId: string,
    index: number,
  ): { [name: string]: string }
  /** Absent: records are sent one by one. */
  content?(texts: readonly string[]): string
  deliver(job: DeliverJob): Promise<readonly RecordFailure[]>
}

export function indexType(connection: IndexConnection, refusals: Refusals): DestinationType {
  return simulatedType({
    name: 'Index',
    outputKind: DOCUMENTS,
    atLeastOnce: false,
    target: ({ Prefix }) => ({ index: Prefix }),
    async deliver(job) {
      const documents = await documentsOf(job)
      const { index } = job.output.target as { index: string }
      const refuse = (texts: readonly string[], code: string): void => note(refusals, texts, code)
      try {
        const answers = await connection.create(index, documents, job.signal)
        return documents.flatMap(({ ordinal, text }, place) => {
          const failure = failureOf(ordinal, answers[place])
          if (failure?.effect === 'none') refuse([text], failure.errorCode)
          return failure ?? []
        })
      } catch (error) {
        const texts = documents.map(({ text }) => text)
        if (error instanceof DeliveryError && error.effect === 'none')
          refuse(texts, error.errorCode)
        throw error
      }
    },
  })
}

export function endpointType(connection: EndpointConnection, refusals: Refusals): DestinationType {
  return simulatedType({
    name: 'Endpoint',
    outputKind: REQUEST,
    atLeastOnce: true,
    target: (_configuration, batchId, index) => ({ requestId: `${batchId}-${index}` }),
    content: (texts) => texts.join('\n'),
    async deliver({ batch: { batchId }, output, signal }) {
      const { requestId } = output.target as { requestId: string }
      const { content, recordCount } = output
      // All its records are in quarantine.
      if (recordCount === 0) return []
      assert(content !== undefined, 'a request has content')
      const body = (await content.read(0, content.sizeBytes)).toString('latin1')
      try {
        await connection.post({ batchId, requestId, body }, signal)
      } catch (error) {
        if (error instanceof DeliveryError) note(refusals, body.split('\n'), error.errorCode)
        throw error
      }
      return []
    },
  })
}

function simulatedType(kind: Kind): DestinationType {
  const notAsked = (): never => assert.fail('streams of a simulation are made from outside')
  return {
    name: kind.name,
    metric: `DeliveryTo${kind.name}`,
    configurationMembers: [],
    updateMembers: [],
    create: notAsked,
    update: notAsked,
    describe: notAsked,
    buffering: (stored) => deliveryBuffering(stored as SimulatedConfiguration),
    open: ({ objectStore }) => open(kind, objectStore),
  }
}

function open(kind: Kind, objectStore: ObjectStore): Destination {
  return {
    encode: (job) => encode(kind, job),
    async deliver(job) {
      if (job.output.kind === kind.outputKind) return kind.deliver(job)
      await putObject(
        objectStore,
        (job.stream.destination as SimulatedConfiguration).S3Configuration,
        job,
      )
      return []
    },
    failurePolicy(stream): FailurePolicy {
      const { RetryOptions } = stream.destination as SimulatedConfiguration
      return {
        retryDurationMs: RetryOptions.DurationInSeconds * 1_000,
        atLeastOnce: kind.atLeastOnce,
        errorOutputType: `${kind.outputKind}-failed`,
        errorMembers: (ordinal, { target }, { batchId }) => ({
          recordId: encodeRecordId(batchId, ordinal),
          target,
        }),
      }
    },
    close: () => Promise.resolve(),
  }
}

/** The copy, if there is one, then the outputs, each of up to so many records. */
async function encode(kind: Kind, job: EncodeJob): Promise<readonly EncodedOutput[]> {
  const backup = planBackup(job.stream, RULES, 0)
  const texts = new Map<number, string>()
  const copies = await encodeObjects(
    { ...job, chunks: readInto(texts, job.chunks) },
    backup === undefined ? [] : [backup],
  )
  const frozen = job.frozen?.outputs.filter((output) => output.kind === kind.outputKind)
  const ranges = frozen?.map(({ range }) => range) ?? rangesOf([...texts.keys()])
  const configuration = job.stream.destination as SimulatedConfiguration
  const outputs = await Promise.all(
    ranges.map(async (range, index): Promise<EncodedOutput> => {
      const { from, to } = range ?? { from: 0, to: Infinity }
      const mine = [...texts].filter(([ordinal]) => ordinal >= from && ordinal < to)
      const body = kind.content?.(mine.map(([, text]) => text))
      return {
        kind: kind.outputKind,
        target: kind.target(configuration, job.batch.batchId, index),
        accounting: 'delivered',
        recordCount: mine.length,
        ...(range !== undefined && { range }),
        ...(body !== undefined && { content: await spooled(job, body) }),
        // Where there are copies they come first.
        ...(backup !== undefined && { needsEarlier: true }),
      }
    }),
  )
  return [...copies, ...outputs]
}

async function* readInto(
  texts: Map<number, string>,
  chunks: AsyncIterable<StoredChunk>,
): AsyncGenerator<StoredChunk> {
  for await (const chunk of chunks) {
    let ordinal = chunk.firstOrdinal
    for (const data of recordsOf(chunk)) texts.set(ordinal++, data.toString('latin1'))
    yield chunk
  }
}

/** A batch that is a single output has no need to say of which records. */
function rangesOf(ordinals: readonly number[]): readonly (OrdinalRange | undefined)[] {
  if (ordinals.length > 0 && ordinals.length <= OUTPUT_RECORDS_MAX) return [undefined]
  const ranges: OrdinalRange[] = []
  for (let start = 0; start < ordinals.length; start += OUTPUT_RECORDS_MAX) {
    const [from = 0, last = 0] = [
      ordinals[start],
      ordinals[Math.min(start + OUTPUT_RECORDS_MAX, ordinals.length) - 1],
    ]
    ranges.push({ from, to: last + 1 })
  }
  return ranges
}

async function spooled(
  job: EncodeJob,
  text: string,
): Promise<NonNullable<EncodedOutput['content']>> {
  const spool = job.openSpool()
  await spool.write(Buffer.from(text, 'latin1'))
  return spool.finish()
}

async function documentsOf(
  job: DeliverJob,
): Promise<(IndexDocument & { readonly ordinal: number })[]> {
  const documents = []
  for await (const some of job.records()) {
    for (const { ordinal, data } of some) {
      const id = encodeRecordId(job.batch.batchId, ordinal)
      documents.push({ id, ordinal, text: data.toString('latin1') })
    }
  }
  return documents
}

function failureOf(ordinal: number, answer: DocumentAnswer | undefined): RecordFailure | undefined {
  assert(answer !== undefined, 'each document is answered for')
  if (answer === '201' || answer === '409') return undefined
  return {
    ordinal,
    errorCode: answer,
    errorMessage: `Cannot create: status ${answer}`,
    retryable: answer !== '400',
    effect: answer === '500' ? 'unknown' : 'none',
  }
}

function note(refusals: Refusals, texts: readonly string[], code: string): void {
  for (const text of texts) {
    const codes = refusals.get(text)
    if (codes === undefined) refusals.set(text, new Set([code]))
    else codes.add(code)
  }
}
