import type { SealedBatch } from '../../src/batch.ts'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type {
  DeliverJob,
  Destination,
  DestinationContext,
  EncodeJob,
  EncodedOutput,
  ExplainJob,
  ExplainedRecords,
  FailurePolicy,
  RecordFailure,
} from '../../src/destination.ts'
import { DeliveryError } from '../../src/destination.ts'
import type { FrozenOutput } from '../../src/manifest.ts'
import type { ObjectStore } from '../../src/object-store.ts'
import { planBackup } from '../../src/objects/delivery-configuration.ts'
import { encodeObjects, putObject } from '../../src/objects/object-outputs.ts'
import { passingChunks } from '../../src/requests/passing-chunks.ts'
import { readBulkAnswer } from './bulk-answer.ts'
import { BulkClient } from './bulk-client.ts'
import { bulkDocuments, documentId } from './bulk-request.ts'
import type { Document } from './bulk-request.ts'
import type { OpenSearchConfiguration } from './configuration.ts'
import { DELIVERY_RULES, endpointOf } from './configuration.ts'
import { DocumentOutputs, documentIdsOf, DOCUMENTS_KIND } from './document-outputs.ts'
import type { DocumentsTarget } from './document-outputs.ts'
import { explainDocuments } from './explain-documents.ts'
import type { Variant } from './variant.ts'

/** The backup comes first, so that its name does not depend on how many requests there are. */
const BACKUP_INDEX = 0

export class OpenSearchDestination implements Destination {
  readonly #variant: Variant
  readonly #objectStore: ObjectStore
  readonly #client: BulkClient

  constructor(variant: Variant, { objectStore, connections, clock }: DestinationContext) {
    this.#variant = variant
    this.#objectStore = objectStore
    this.#client = new BulkClient(connections, clock)
  }

  /** The backup, if there is one, and then the requests. */
  async encode(job: EncodeJob): Promise<readonly EncodedOutput[]> {
    const backup = planBackup(job.stream, DELIVERY_RULES, BACKUP_INDEX)
    const documents = new DocumentOutputs(job.stream.destination, job.frozen)
    const backups = await encodeObjects(
      { ...job, chunks: passingChunks(job.chunks, (chunk) => documents.add(chunk)) },
      backup === undefined ? [] : [backup],
    )
    return [...backups, ...documents.encoded()]
  }

  async deliver(job: DeliverJob): Promise<readonly RecordFailure[]> {
    if (job.output.kind !== DOCUMENTS_KIND) {
      const { S3Configuration } = configurationOf(job.stream)
      await putObject(this.#objectStore, S3Configuration, job)
      return []
    }
    const { documents, refused } = await bulkDocuments(job)
    if (documents.length === 0) return refused
    const endpoint = endpointOf(configurationOf(job.currentStream))
    return [...refused, ...(await this.#index(endpoint, documents, job.signal))]
  }

  async explain(job: ExplainJob): Promise<ExplainedRecords> {
    return await explainDocuments(job)
  }

  failurePolicy(stream: DeliveryStream): FailurePolicy {
    const configuration = configurationOf(stream)
    return {
      retryDurationMs: configuration.RetryOptions.DurationInSeconds * 1_000,
      atLeastOnce: documentIdsOf(configuration) === 'NO_DOCUMENT_ID',
      errorOutputType: this.#variant.errorOutputType,
      errorMembers: (ordinal, output, batch) => this.#errorMembers(ordinal, output, batch),
    }
  }

  async close(): Promise<void> {
    await this.#client.close()
  }

  /** @returns the documents that were left behind */
  async #index(
    endpoint: string,
    documents: readonly Document[],
    signal: AbortSignal,
  ): Promise<readonly RecordFailure[]> {
    const lines = documents.map((document) => document.lines)
    const answer = await this.#client.send(endpoint, lines, signal)
    if (answer.status !== 413) return readBulkAnswer(answer, documents)
    if (documents.length === 1) return documents.map(tooLarge)
    return this.#indexHalves(endpoint, documents, signal)
  }

  /** The server, or a proxy before it, takes smaller requests only. */
  async #indexHalves(
    endpoint: string,
    documents: readonly Document[],
    signal: AbortSignal,
  ): Promise<readonly RecordFailure[]> {
    const middle = Math.ceil(documents.length / 2)
    const first = await this.#index(endpoint, documents.slice(0, middle), signal)
    const others = documents.slice(middle)
    try {
      return [...first, ...(await this.#index(endpoint, others, signal))]
    } catch (error) {
      // The first half has had its effect, so that the attempt did not fail as a whole.
      if (!(error instanceof DeliveryError)) throw error
      const { errorCode, message: errorMessage, retryable, effect } = error
      const failure = { errorCode, errorMessage, retryable, effect }
      return [...first, ...others.map(({ ordinal }) => ({ ordinal, ...failure }))]
    }
  }

  #errorMembers(ordinal: number, { target }: FrozenOutput, { batchId }: SealedBatch) {
    const documents = target as DocumentsTarget
    const id = documentId(documents, batchId, ordinal) ?? ''
    if (this.#variant.errorMemberPrefix === 'os') {
      return { osDocumentId: id, osIndexName: documents.index }
    }
    return { esDocumentId: id, esIndexName: documents.index, esTypeName: documents.type ?? '' }
  }
}

function configurationOf({ destination }: DeliveryStream): OpenSearchConfiguration {
  return destination as OpenSearchConfiguration
}

function tooLarge({ ordinal }: Document): RecordFailure {
  return {
    ordinal,
    errorCode: '413',
    errorMessage: 'Cannot index: the document is too large for the server',
    retryable: false,
    effect: 'none',
  }
}
