/** `POST /streams/{name}/explain`: what would become of this record? The body is the record. */
import { isUtf8 } from 'node:buffer'
import type { JsonObject } from '../../base/json.ts'
import type { Failure } from '../../delivery-queue.ts'
import { DeliveryError } from '../../destination.ts'
import type { ExplainedOutput, ExplainedRecord, ExplainedStage } from '../../explanation.ts'
import { ApiError } from '../exceptions.ts'
import type { Route } from '../operation.ts'
import { activeStream } from '../operations/stream-lookup.ts'
import { RECORD_BYTES_MAX } from '../put/put-limits.ts'
import { parameterOf } from './route-parameters.ts'

/** Of what one record was split into. */
const RECORDS_SHOWN_MAX = 100

export const explainRecord: Route = {
  method: 'POST',
  path: '/streams/{name}/explain',
  action: 'ExplainRecord',
  bodyBytesMax: RECORD_BYTES_MAX,
  audited: false,
  async handle(request, context) {
    const stream = activeStream(context, parameterOf(request, 'name'))
    try {
      const { stages, outputs } = await context.explainer.explain(stream, request.body)
      return {
        statusCode: 200,
        body: {
          DeliveryStreamName: stream.name,
          Stages: stages.map(describeStage),
          Outputs: outputs.map(describeOutput),
        },
      }
    } catch (error) {
      if (!(error instanceof DeliveryError)) throw error
      const message = `Cannot explain now: ${error.errorCode}: ${error.message}`
      throw new ApiError('ServiceUnavailableException', message, { cause: error })
    }
  },
}

function describeStage({ name, records, failures, droppedCount }: ExplainedStage): JsonObject {
  return {
    Name: name,
    Records: records.slice(0, RECORDS_SHOWN_MAX).map(describeRecord),
    RecordCount: records.length,
    DroppedCount: droppedCount,
    Failures: failures.slice(0, RECORDS_SHOWN_MAX).map(describeFailure),
    FailedCount: failures.length,
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
    ...(content !== undefined && { Content: describeBytes(content) }),
    ...(records !== undefined && {
      Records: records.map((record) =>
        'item' in record ? { Item: record.item } : describeFailure(record.refusal),
      ),
    }),
  }
}

function describeFailure({ errorCode, errorMessage }: Failure): JsonObject {
  return { ErrorCode: errorCode, ErrorMessage: errorMessage }
}

/** As text where that is what the bytes are. */
function describeBytes(data: Buffer): JsonObject {
  return isUtf8(data) ? { Text: data.toString() } : { Data: data.toString('base64') }
}
