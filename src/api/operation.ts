/**
 * What the server calls: operations of the Firehose API (`POST /`) and routes of our own. Both are
 * reached only by a caller who was authenticated and, where an action is named, authorized.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { JsonObject } from '../base/json.ts'
import type { ApiContext } from './context.ts'
import type { ApiError } from './exceptions.ts'

/** Who called, as far as an operation needs to know. */
export interface Caller {
  /** Undefined where no access keys are configured. */
  readonly accessKeyId: string | undefined
  /** e.g. `arn:aws:iam::000000000000:user/AKIDEXAMPLE`. */
  readonly arn: string
  readonly sourceAddress: string
  readonly userAgent: string
  readonly requestId: string
}

/**
 * A control operation. The input has been checked against the model: required members are there,
 * types, lengths, ranges, patterns and enums hold. Members unknown to the model may be present.
 * @throws ApiError
 */
export type Operation = (
  input: JsonObject,
  context: ApiContext,
  caller: Caller,
) => Promise<JsonObject>

/**
 * A put operation, which reads its body itself for speed. `parseJsonBody` (json-body.ts) and
 * `validateInput` (validation.ts) do for it what the server does for the others.
 */
export interface RawOperation {
  readonly raw: true
  /**
   * Reads the body. Nothing takes effect before `run`, which is called when the caller is allowed
   * to put to `streamName`.
   * @throws ApiError
   */
  prepare(body: Buffer, context: ApiContext): PreparedCall
}

export interface PreparedCall {
  readonly streamName: string
  /**
   * The answer: a string is JSON already.
   * @throws ApiError
   */
  run(): Promise<JsonObject | string>
}

/** By name, e.g. `PutRecord`. A Map, so that inherited names are no operations. */
export type OperationTable = ReadonlyMap<string, Operation | RawOperation>

/** A route besides `POST /`. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Segments in braces are parameters, e.g. `/streams/{name}/records`. */
  readonly path: string
  /**
   * IAM action without its prefix, e.g. `FlushDeliveryStream` for `standpipe:FlushDeliveryStream`;
   * the resource is the stream of the parameter `name`, or `*` without one. Undefined: open to
   * everybody, unauthenticated (health only).
   */
  readonly action: string | undefined
  /** Present: the action is one of Firehose's own, e.g. `firehose:PutRecordBatch`. */
  readonly actionPrefix?: 'firehose'
  /** True: the metrics token opens it, too, for clients that can't sign. */
  readonly takesMetricsToken?: true
  /** True: X-Amz-Firehose-Access-Key may hold `<id>:<secret>` of an access key instead of a signature. */
  readonly takesEndpointKey?: true
  /** A longer body is refused before it is read; 0 for none. */
  readonly bodyBytesMax: number
  /** True when each call goes into the audit trail, with its body, which is JSON if there is one. */
  readonly audited: boolean
  /** @throws ApiError */
  handle(request: RouteRequest, context: ApiContext): Promise<RouteResponse>
  /** How the route's callers are told of an error; absent: as by AWS's JSON services. */
  refuse?(error: ApiError, headers: IncomingHttpHeaders, context: ApiContext): RouteResponse
}

export interface RouteRequest {
  /** By parameter name, percent-decoded. */
  readonly parameters: ReadonlyMap<string, string>
  readonly query: URLSearchParams
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders
  /** As sent: a Content-Encoding has not been undone. */
  readonly body: Buffer
  readonly caller: Caller
  /**
   * For a route that acts upon another stream than the one of its path.
   * @param action as in `Route.action`
   * @throws ApiError AccessDeniedException
   */
  readonly authorize: (action: string, streamName: string) => void
}

export interface RouteResponse {
  readonly statusCode: number
  /** An object is sent as JSON. */
  readonly body: JsonObject | string
  /** Default: `application/json` for an object, `text/plain; charset=utf-8` for a string. */
  readonly contentType?: string
}
