/** How functions do: times and failures, for each stream that uses them. */
import type { JsonObject } from '../../base/json.ts'
import type { FunctionReport } from '../../functions.ts'
import type { Route } from '../operation.ts'

export const listFunctions: Route = {
  method: 'GET',
  path: '/functions',
  action: 'ListFunctions',
  bodyBytesMax: 0,
  audited: false,
  async handle(_request, context) {
    return { statusCode: 200, body: { Functions: context.functionReports.list().map(describe) } }
  },
}

function describe(report: FunctionReport): JsonObject {
  const { lastFailure, durations } = report
  return {
    Name: report.name,
    DeliveryStreamName: report.deliveryStreamName,
    InvocationCount: report.invocationCount,
    FailureCount: report.failureCount,
    RecordCount: report.recordCount,
    DurationMs: {
      Sum: durations.sumMs,
      Max: durations.maxMs,
      P50: durations.p50Ms,
      P99: durations.p99Ms,
    },
    ...(lastFailure !== undefined && {
      LastFailure: { ErrorCode: lastFailure.errorCode, Timestamp: lastFailure.atMs / 1_000 },
    }),
  }
}
