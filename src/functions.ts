/**
 * Functions that transform records, as AWS Lambda has them (facts: Processing). An ARN is answered by a
 * module on this host, by a URL that speaks Lambda's invoke protocol, or by a real Lambda; which one is
 * the settings' to say.
 */

/** The event of Firehose's data transformation, to the letter. */
export interface TransformationEvent {
  readonly invocationId: string
  readonly deliveryStreamArn: string
  readonly region: string
  readonly sourceKinesisStreamArn?: string
  readonly sourceMSKArn?: string
  readonly records: readonly TransformationRecord[]
}

/** What a record has besides is what its source tells of it, e.g. `kinesisRecordMetadata`. */
export interface TransformationRecord {
  readonly recordId: string
  readonly approximateArrivalTimestamp: number
  /** Base64. */
  readonly data: string
  /** The same once more; only where a Kafka topic is read. */
  readonly kafkaRecordValue?: string
  /** What `data` stands for, where the caller has it at hand; no part of the event. */
  readonly bytes?: Buffer
}

/**
 * Under which names a record has its data, and may bring it back. AWS has another name where a Kafka
 * topic is read; ours is there, too, so that one function serves every stream.
 */
export function dataNames({
  sourceMSKArn,
}: Pick<TransformationEvent, 'sourceMSKArn'>): readonly ('data' | 'kafkaRecordValue')[] {
  return sourceMSKArn === undefined ? ['data'] : ['data', 'kafkaRecordValue']
}

/** An invocation without an answer. What a function answered, be it junk, is not one. */
export class InvocationError extends Error {
  override readonly name = 'InvocationError'
  /** E.g. `Lambda.FunctionError`, `Lambda.InvokeLimitExceeded` (facts: failure codes). */
  readonly errorCode: string

  constructor(errorCode: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.errorCode = errorCode
  }
}

export interface FunctionAnswer {
  /**
   * The answer's JSON, parsed; not looked at further. Where the event's records came with `bytes`, data
   * of records may be decoded already: then it is a Buffer.
   */
  readonly value: unknown
  /** The size of that JSON in bytes. */
  readonly sizeBytes: number
}

/** A function's code as it was when the lease was taken: a batch ends on the code it began with. */
export interface FunctionLease {
  /**
   * One attempt, ended by the function's own time limit.
   * @throws InvocationError
   */
  invoke(event: TransformationEvent, signal: AbortSignal): Promise<FunctionAnswer>
  release(): void
}

export interface Functions {
  /**
   * Says what answers to an ARN, e.g. `module functions/enrich.ts`, and that it is there.
   * @throws ConfigurationError when nothing answers to it
   */
  find(arn: string): Promise<string>
  /**
   * The function as it is now.
   * @throws InvocationError when nothing answers to the ARN any more
   */
  lease(arn: string): Promise<FunctionLease>
  close(): Promise<void>
}

/** How the invocations of one function for one stream have gone since the service started. */
export interface FunctionReport {
  /** As it was called, e.g. a function's ARN. */
  readonly name: string
  readonly deliveryStreamName: string
  /** Attempts, those that failed included. */
  readonly invocationCount: number
  readonly failureCount: number
  /** Of all attempts: a record that was tried twice counts twice. */
  readonly recordCount: number
  readonly lastFailure?: { readonly errorCode: string; readonly atMs: number }
  readonly durations: {
    readonly sumMs: number
    readonly maxMs: number
    /** At most this much; steps of the scale are 1, 2, 5, 10, … */
    readonly p50Ms: number
    readonly p99Ms: number
  }
}

export interface FunctionReports {
  /** By name, then by stream. Those of names that were not called for long may be forgotten. */
  list(): readonly FunctionReport[]
}
