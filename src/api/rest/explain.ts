/** `POST /streams/{name}/explain`: what would become of this record? The body is the record. */
import type { JsonObject } from '../../base/json.ts'
import type { Failure } from '../../delivery-queue.ts'
import { DeliveryError } from '../../destination.ts'
import type { ExplainedItem } from '../../destination.ts'
import type {
  ExplainedContent,
  ExplainedOutput,
  ExplainedRecord,
  ExplainedRefusal,
  ExplainedStage,
} from '../../explanation.ts'
import { ApiError, validationError } from '../exceptions.ts'
import type { Route } from '../operation.ts'
import { activeStream } from '../operations/stream-lookup.ts'
import { RECORD_BYTES_MAX } from '../put/put-limits.ts'
import { parameterOf } from './route-parameters.ts'

/** More than a record may have, so that one that is too long is told what a put would say. */
const BODY_BYTES_MAX = 8 * 1024 * 1024

export const explainRecord: Route = {
  method: 'POST',
  path: '/streams/{name}/explain',
  action: 'ExplainRecord',
  bodyBytesMax: BODY_BYTES_MAX,
  audited: false,
  async handle(request, context) {
    const stream = activeStream(context, parameterOf(request, 'name'))
    if (request.body.byteLength > RECORD_BYTES_MAX) throw tooLong()
    try {
      const explanation = await context.explainer.explain(stream, request.body)
      return {
        statusCode: 200,
        body: {
          DeliveryStreamName: stream.name,
          Stages: explanation.stages.map(describeStage),
          Outputs: explanation.outputs.map(describeOutput),
          OutputCount: explanation.outputCount,
        },
      }
    } catch (error) {
      if (!(error instanceof DeliveryError)) throw error
      const message = `Cannot explain now: ${error.errorCode}: ${error.message}`
      throw new ApiError('ServiceUnavailableException', message, { cause: error })
    }
  },
}

/** As PutRecord says it. */
function tooLong(): ApiError {
  return validationError([
    `Value at 'record.data' failed to satisfy constraint: ` +
      `Member must have length less than or equal to ${RECORD_BYTES_MAX}`,
  ])
}

function describeStage(stage: ExplainedStage): JsonObject {
  return {
    Name: stage.name,
    Records: stage.records.map(describeRecord),
    RecordCount: stage.recordCount,
    DroppedCount: stage.droppedCount,
    Failures: stage.failures.map(describeFailure),
    FailedCount: stage.failedCount,
  }
}

function describeRecord({ data, keys }: ExplainedRecord): JsonObject {
  const partitionKeys = {
    ...(keys !== undefined && keys.query.size > 0 && { Query: Object.fromEntries(keys.query) }),
    ...(keys !== undefined && keys.lambda.size > 0 && { Lambda: Object.fromEntries(keys.lambda) }),
  }
  const isPartitioned = Object.keys(partitionKeys).length > 0
  return { ...describeBytes(data), ...(isPartitioned && { PartitionKeys: partitionKeys }) }
}

function describeOutput(output: ExplainedOutput): JsonObject {
  const { kind, accounting, target, recordCount, sizeBytes, content, records } = output
  return {
    Kind: kind,
    Accounting: accounting,
    Target: target,
    RecordCount: recordCount,
    SizeBytes: sizeBytes,
    ...(content !== undefined && { Content: describeContent(content) }),
    ...(records !== undefined && { Records: records.map(describeItem) }),
  }
}

function describeContent({ format, head, isWhole }: ExplainedContent): JsonObject {
  if (head === undefined) return { Format: format }
  return { Format: format, ...describeBytes(head, isWhole), ...(!isWhole && { IsCut: true }) }
}

function describeItem(record: ExplainedItem | ExplainedRefusal): JsonObject {
  if ('refusal' in record) return describeFailure(record.refusal)
  const { item, data } = record
  return { Item: item, ...(data !== undefined && describeBytes(data)) }
}

function describeFailure({ errorCode, errorMessage }: Failure): JsonObject {
  return { ErrorCode: errorCode, ErrorMessage: errorMessage }
}

/**
 * As text where that is what the bytes are.
 * @param isWhole false: they may end within a character, which is left out
 */
function describeBytes(data: Buffer, isWhole = true): JsonObject {
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    return { Text: decoder.decode(data, { stream: !isWhole }) }
  } catch {
    return { Data: data.toString('base64') }
  }
}
