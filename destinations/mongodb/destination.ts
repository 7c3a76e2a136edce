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
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import { planBackup } from '../../src/objects/delivery-configuration.ts'
import { encodeObjects, putObject } from '../../src/objects/object-outputs.ts'
import type { MongoDBConfiguration } from './configuration.ts'
import { DELIVERY_RULES } from './configuration.ts'
import { DocumentGroups, DOCUMENTS_KIND } from './document-groups.ts'
import type { DocumentsTarget } from './document-groups.ts'
import type { DocumentWriter } from './document-writer.ts'

/** The backup comes first, so that its name does not depend on how many inserts there are. */
const BACKUP_INDEX = 0

export class MongoDBDestination implements Destination {
  readonly #context: DestinationContext
  #writer: Promise<DocumentWriter> | undefined

  constructor(context: DestinationContext) {
    this.#context = context
  }

  /** The backup, if there is one, and then the inserts. */
  async encode(job: EncodeJob): Promise<readonly EncodedOutput[]> {
    const { DatabaseName: database, CollectionName: collection } = configurationOf(job.stream)
    const groups = new DocumentGroups({ database, collection }, job.frozen)
    const backup = planBackup(job.stream, DELIVERY_RULES, BACKUP_INDEX)
    const backups = await encodeObjects(
      { ...job, chunks: groups.seen(job.chunks) },
      backup === undefined ? [] : [backup],
    )
    return [...backups, ...groups.outputs()]
  }

  async deliver(job: DeliverJob): Promise<readonly RecordFailure[]> {
    if (job.output.kind !== DOCUMENTS_KIND) {
      await putObject(this.#context.objectStore, configurationOf(job.stream).S3Configuration, job)
      return []
    }
    const writer = await this.#openWriter()
    return await writer.write(configurationOf(job.currentStream), job)
  }

  async explain(job: ExplainJob): Promise<ExplainedRecords> {
    const { explainDocuments } = await import('./pending-documents.ts')
    return await explainDocuments(job)
  }

  failurePolicy(stream: DeliveryStream): FailurePolicy {
    const { RetryOptions } = configurationOf(stream)
    return {
      retryDurationMs: RetryOptions.DurationInSeconds * 1_000,
      atLeastOnce: false,
      errorOutputType: 'mongodb-failed',
      errorMembers: (_ordinal, { target }) => {
        const { database, collection } = target as DocumentsTarget
        return { databaseName: database, collectionName: collection }
      },
    }
  }

  async close(): Promise<void> {
    await (await this.#writer)?.close()
  }

  /** The driver is large: a thread loads it when it first delivers to MongoDB. */
  #openWriter(): Promise<DocumentWriter> {
    this.#writer ??= import('./document-writer.ts').then(
      ({ DocumentWriter }) => new DocumentWriter(this.#context.connections),
    )
    return this.#writer
  }
}

function configurationOf({ destination }: DeliveryStream): MongoDBConfiguration {
  return destination as MongoDBConfiguration
}
