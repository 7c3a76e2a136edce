/**
 * The real process with functions of the test's own, and the AWS SDK before it. Its streams are not
 * cut by size or age, so that a test says itself, with `put`, which records make a batch.
 */
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Firehose } from '@aws-sdk/client-firehose'
import type {
  CreateDeliveryStreamCommandInput,
  ExtendedS3DestinationConfiguration,
  Processor,
  ProcessorParameterName,
  ProcessorType,
} from '@aws-sdk/client-firehose'
import type { JsonObject } from '../../src/base/json.ts'
import { balanced, readBooks, settledBooks } from './books.ts'
import type { StreamBooks } from './books.ts'
import { eventually, Service } from './harness.ts'
import type { HttpClient } from './http-client.ts'
import { folderObjects } from './objects.ts'
import type { DeliveredObject } from './objects.ts'
import { bucketOf } from './streams.ts'

export const ROLE = 'arn:aws:iam::000000000000:role/firehose'
export const DESTINATION_ID = 'destinationId-000000000001'
const RECORDS_A_REQUEST_MAX = 500
const REQUEST_BYTES_MAX = 3 * 1024 * 1024

export class ProcessingService implements AsyncDisposable {
  readonly service: Service
  readonly firehose: Firehose
  readonly http: HttpClient
  readonly #functionsDir: string
  readonly #notesDir: string

  private constructor(service: Service, functionsDir: string, notesDir: string) {
    this.service = service
    this.firehose = new Firehose({
      endpoint: service.url,
      region: 'us-east-1',
      credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    })
    this.http = service.client()
    this.#functionsDir = functionsDir
    this.#notesDir = notesDir
  }

  /** @param functions sources by file name, e.g. `enrich.mjs` */
  static async start(
    functions: Readonly<Record<string, string>>,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<ProcessingService> {
    const functionsDir = await mkdtemp(join(tmpdir(), 'standpipe-functions-'))
    const service = await Service.create({
      environment: { STANDPIPE_FUNCTIONS_DIR: functionsDir, ...environment },
    })
    const notesDir = await mkdtemp(join(tmpdir(), 'standpipe-notes-'))
    const started = new ProcessingService(service, functionsDir, notesDir)
    try {
      for (const [name, source] of Object.entries(functions)) {
        await started.writeFunction(name, source)
      }
      await service.start()
      return started
    } catch (error) {
      await started[Symbol.asyncDispose]()
      throw error
    }
  }

  /** As an editor or a deployment would: the old text, or the new one, is there at any time. */
  async writeFunction(fileName: string, source: string): Promise<void> {
    const path = join(this.#functionsDir, fileName)
    await writeFile(`${path}.new`, source)
    await rename(`${path}.new`, path)
  }

  /** Path of a file by which functions and test tell each other something. */
  notePath(name: string): string {
    return join(this.#notesDir, name)
  }

  /** Its lines so far; none when it is not there yet. */
  async noteLines(name: string): Promise<string[]> {
    const text = await readFile(this.notePath(name), 'utf8').catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return ''
        throw error
      },
    )
    return text.split('\n').slice(0, -1)
  }

  /** A stream into `bucket-<name>`. */
  async createS3Stream(
    name: string,
    special: Partial<ExtendedS3DestinationConfiguration>,
  ): Promise<void> {
    await this.createStream({
      DeliveryStreamName: name,
      ExtendedS3DestinationConfiguration: s3Configuration(name, special),
    })
  }

  async createStream(input: CreateDeliveryStreamCommandInput): Promise<void> {
    await this.firehose.createDeliveryStream(input)
    const { DeliveryStreamName } = input
    await eventually(`stream ${DeliveryStreamName} is active`, 10_000, async () => {
      const { DeliveryStreamDescription } = await this.firehose.describeDeliveryStream({
        DeliveryStreamName,
      })
      return DeliveryStreamDescription?.DeliveryStreamStatus === 'ACTIVE' ? true : undefined
    })
  }

  /** Puts records and makes a batch of them. Resolves with their record ids. */
  async put(name: string, records: readonly (string | Uint8Array)[]): Promise<string[]> {
    const ids: string[] = []
    for (const request of requestsOf(records.map((record) => Buffer.from(record)))) {
      const { FailedPutCount, RequestResponses = [] } = await this.firehose.putRecordBatch({
        DeliveryStreamName: name,
        Records: request.map((Data) => ({ Data })),
      })
      if (FailedPutCount !== 0) throw this.service.failure(`${name} refused records`)
      ids.push(...RequestResponses.map(({ RecordId = '' }) => RecordId))
    }
    const { status } = await this.http.send('POST', `/streams/${name}/flush`)
    if (status !== 200) throw this.service.failure(`${name} was not flushed: ${status}`)
    return ids
  }

  books(name: string): Promise<StreamBooks> {
    return readBooks(this.http, name)
  }

  /** The books when all that was put has come to its end; fails when it doesn't, or they don't balance. */
  async settled(name: string): Promise<StreamBooks> {
    const books = await settledBooks(this.http, name)
    if (books.pending !== 0 || !balanced(books)) {
      throw this.service.failure(`the books of ${name} are ${JSON.stringify(books)}`)
    }
    return books
  }

  /** Of a stream into local folders, by key. */
  async objects(name: string): Promise<DeliveredObject[]> {
    const objects = await folderObjects(join(this.service.dataDir, 'buckets', bucketOf(name)))
    return objects.toSorted((a, b) => (a.key < b.key ? -1 : 1))
  }

  /** `State`, and `Kind`s of the outputs that hold the record. */
  async whereabouts(recordId: string): Promise<{ state: unknown; kinds: unknown[] }> {
    const { status, body } = await this.http.get(`/receipts/${recordId}`)
    if (status !== 200) throw this.service.failure(`no receipt of ${recordId}: ${status}`)
    const { Outputs = [] } = (body['Receipt'] ?? {}) as { Outputs?: JsonObject[] }
    return { state: body['State'], kinds: Outputs.map(({ Kind }) => Kind) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.firehose.destroy()
    this.http.close()
    await this.service[Symbol.asyncDispose]()
    await rm(this.#functionsDir, { recursive: true })
    await rm(this.#notesDir, { recursive: true })
  }
}

export function s3Configuration(
  streamName: string,
  special: Partial<ExtendedS3DestinationConfiguration> = {},
): ExtendedS3DestinationConfiguration {
  return {
    RoleARN: ROLE,
    BucketARN: `arn:aws:s3:::${bucketOf(streamName)}`,
    Prefix: 'data/',
    ErrorOutputPrefix: 'errors/!{firehose:error-output-type}/',
    BufferingHints: { SizeInMBs: 128, IntervalInSeconds: 900 },
    ...special,
  }
}

export function processing(...Processors: readonly Processor[]): {
  ProcessingConfiguration: { Enabled: true; Processors: Processor[] }
} {
  return { ProcessingConfiguration: { Enabled: true, Processors: [...Processors] } }
}

export function processor(
  Type: ProcessorType,
  parameters: Partial<Record<ProcessorParameterName, string>> = {},
): Processor {
  const Parameters = Object.entries(parameters).map(([name, ParameterValue]) => ({
    ParameterName: name as ProcessorParameterName,
    ParameterValue,
  }))
  return { Type, Parameters }
}

export function functionArn(name: string): string {
  return `arn:aws:lambda:us-east-1:000000000000:function:${name}`
}

/** A Lambda processor that tries once, so that a function's failure is its records' at once. */
export function lambda(
  name: string,
  parameters: Partial<Record<ProcessorParameterName, string>> = {},
): Processor {
  return processor('Lambda', {
    LambdaArn: functionArn(name),
    NumberOfRetries: '0',
    ...parameters,
  })
}

/**
 * A module that answers for each record with what `body` returns, an expression or statements in which
 * `text` is the record's; `ok(text, metadata?)`, `dropped` and `failed` are there to return.
 */
export function eachRecord(body: string): string {
  const statements = body.includes('return ') ? body : `return ${body}`
  return `
    import { appendFileSync, existsSync } from 'node:fs'
    import { setTimeout as sleep } from 'node:timers/promises'

    const dropped = { result: 'Dropped' }
    const failed = { result: 'ProcessingFailed' }
    const ok = (text, metadata) => {
      return { result: 'Ok', data: Buffer.from(text).toString('base64'), metadata }
    }
    async function answer(text, event) {
      ${statements}
    }
    export async function handler(event) {
      const records = []
      for (const { recordId, data } of event.records) {
        const answered = await answer(Buffer.from(data, 'base64').toString(), event)
        records.push({ recordId, ...answered })
      }
      return { records }
    }`
}

/** AWS's error record, as all stages but format conversion make it. */
export interface ErrorRecord {
  readonly rawData: string
  readonly errorCode: string
  readonly errorMessage: string
  readonly attemptsMade: number
  readonly arrivalTimestamp: number
  readonly attemptEndingTimestamp: number
  readonly lambdaARN?: string
}

/** The error records of one error-output-type, in the order of their objects' keys. */
export function errorRecords(objects: readonly DeliveredObject[], type: string): ErrorRecord[] {
  const lines = objects
    .filter(({ key }) => key.startsWith(`errors/${type}/`))
    .flatMap(({ bytes }) => bytes.toString().split('\n'))
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as ErrorRecord)
}

/** The record that failed. */
export function rawText({ rawData }: ErrorRecord): string {
  return Buffer.from(rawData, 'base64').toString()
}

/** The records that were delivered, all objects of the prefix `data/` one after the other. */
export function deliveredText(objects: readonly DeliveredObject[]): string {
  const delivered = objects.filter(({ key }) => key.startsWith('data/'))
  return Buffer.concat(delivered.map(({ bytes }) => bytes)).toString()
}

/** Cut so that each fits a PutRecordBatch. */
function* requestsOf(records: readonly Buffer[]): Generator<Buffer[]> {
  let request: Buffer[] = []
  let sizeBytes = 0
  for (const record of records) {
    const isFull = request.length === RECORDS_A_REQUEST_MAX
    if (isFull || (sizeBytes > 0 && sizeBytes + record.byteLength > REQUEST_BYTES_MAX)) {
      yield request
      request = []
      sizeBytes = 0
    }
    request.push(record)
    sizeBytes += record.byteLength
  }
  if (request.length > 0) yield request
}
