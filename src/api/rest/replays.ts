/** Replays of a stream: begin one, look how far it is, end it. */
import type { Json, JsonObject } from '../../base/json.ts'
import { isJsonObject } from '../../base/json.ts'
import { ReplayRefused } from '../../replay.ts'
import type { ReplayFormat, ReplayRequest, ReplayStatus } from '../../replay.ts'
import type { ApiContext } from '../context.ts'
import { ApiError, invalidArgument } from '../exceptions.ts'
import { instantOf } from '../iso-8601.ts'
import { parseJsonBody } from '../json-body.ts'
import type { Route, RouteRequest } from '../operation.ts'
import { activeStream, existingStream } from '../operations/stream-lookup.ts'
import { parameterOf } from './route-parameters.ts'

const REPLAYS = '/streams/{name}/replays'
const REPLAY = `${REPLAYS}/{replayId}`
const START = 'StartReplay'
const BODY_BYTES_MAX = 16 * 1024
const FORMATS: readonly ReplayFormat[] = ['error', 'records']
const RATE_MAX = 1_000_000

/**
 * Members of the body, all optional: `Source` with `Bucket` and `Prefix`, `Format`, `From` and `To`
 * (ISO 8601, or seconds since the epoch), `ErrorCode`, `ToStream`, `RecordsPerSecond`, `DryRun`.
 */
export const startReplay: Route = {
  method: 'POST',
  path: REPLAYS,
  action: START,
  bodyBytesMax: BODY_BYTES_MAX,
  audited: true,
  async handle(request, context) {
    const replay = readRequest(request, context)
    try {
      return { statusCode: 201, body: describeReplay(context.replays.start(replay)) }
    } catch (error) {
      if (!(error instanceof ReplayRefused)) throw error
      const type = error.reason === 'busy' ? 'LimitExceededException' : 'InvalidArgumentException'
      throw new ApiError(type, error.message, { cause: error })
    }
  },
}

export const listReplays: Route = {
  method: 'GET',
  path: REPLAYS,
  action: 'ListReplays',
  bodyBytesMax: 0,
  audited: false,
  async handle(request, context) {
    const { name } = existingStream(context, parameterOf(request, 'name'))
    return { statusCode: 200, body: { Replays: context.replays.list(name).map(describeReplay) } }
  },
}

export const getReplay: Route = {
  method: 'GET',
  path: REPLAY,
  action: 'GetReplay',
  bodyBytesMax: 0,
  audited: false,
  async handle(request, context) {
    return { statusCode: 200, body: describeReplay(existingReplay(request, context)) }
  },
}

/** Answers when it has ended, as it was then. */
export const cancelReplay: Route = {
  method: 'DELETE',
  path: REPLAY,
  action: 'CancelReplay',
  bodyBytesMax: 0,
  audited: true,
  async handle(request, context) {
    await context.replays.cancel(existingReplay(request, context).replayId)
    return { statusCode: 200, body: describeReplay(existingReplay(request, context)) }
  },
}

function existingReplay(request: RouteRequest, context: ApiContext): ReplayStatus {
  const { name } = existingStream(context, parameterOf(request, 'name'))
  const replayId = parameterOf(request, 'replayId')
  const replay = context.replays.find(name, replayId)
  if (replay !== undefined) return replay
  const message = `Cannot find replay ${replayId} of ${name}: a restart forgets replays`
  throw new ApiError('NotFoundException', message)
}

const MEMBERS = new Set([
  'Source',
  'Format',
  'From',
  'To',
  'ErrorCode',
  'ToStream',
  'RecordsPerSecond',
  'DryRun',
])

function readRequest(request: RouteRequest, context: ApiContext): ReplayRequest {
  const body = parseJsonBody(request.body)
  const unknown = Object.keys(body).find((member) => !MEMBERS.has(member))
  if (unknown !== undefined) throw invalidArgument(`Cannot use ${unknown}: no such member`)
  const name = parameterOf(request, 'name')
  const toStream = textOf(body, 'ToStream') ?? name
  if (toStream !== name) request.authorize(START, toStream)
  const optional = {
    source: sourceOf(body),
    format: formatOf(body),
    fromMs: timeOf(body, 'From'),
    toMs: timeOf(body, 'To'),
    errorCode: textOf(body, 'ErrorCode'),
    recordsPerSecond: rateOf(body),
  }
  const given = Object.entries(optional).filter(([, value]) => value !== undefined)
  return {
    stream: existingStream(context, name),
    target: activeStream(context, toStream),
    ...(Object.fromEntries(given) as Partial<ReplayRequest>),
    dryRun: flagOf(body, 'DryRun'),
  }
}

function own(body: JsonObject, member: string): Json | undefined {
  return Object.hasOwn(body, member) ? body[member] : undefined
}

function textOf(body: JsonObject, member: string): string | undefined {
  const value = own(body, member)
  if (value === undefined || (typeof value === 'string' && value !== '')) return value
  throw invalidArgument(`Cannot use ${member}: must be text`)
}

function sourceOf(body: JsonObject): ReplayRequest['source'] {
  const source = own(body, 'Source')
  if (source === undefined) return undefined
  if (!isJsonObject(source)) throw invalidArgument('Cannot use Source: must be an object')
  const bucket = textOf(source, 'Bucket')
  if (bucket === undefined) throw invalidArgument('Cannot use Source: Bucket is missing')
  const prefix = own(source, 'Prefix') ?? ''
  if (typeof prefix !== 'string') throw invalidArgument('Cannot use Source.Prefix: must be text')
  return { bucket, prefix }
}

function formatOf(body: JsonObject): ReplayFormat | undefined {
  const text = textOf(body, 'Format')
  if (text === undefined) return undefined
  const format = FORMATS.find((known) => known === text)
  if (format === undefined) throw invalidArgument(`Cannot use Format: one of ${FORMATS.join(', ')}`)
  return format
}

function timeOf(body: JsonObject, member: string): number | undefined {
  const value = own(body, member)
  if (value === undefined) return undefined
  if (typeof value === 'number' && value >= 0) return value * 1_000
  const timeMs = typeof value === 'string' ? instantOf(value) : undefined
  if (timeMs !== undefined) return timeMs
  throw invalidArgument(
    `Cannot use ${member}: must be a time such as 2026-11-21T10:00:00Z, or seconds since 1970`,
  )
}

function rateOf(body: JsonObject): number | undefined {
  const value = own(body, 'RecordsPerSecond')
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= RATE_MAX) {
    return value
  }
  throw invalidArgument(`Cannot use RecordsPerSecond: must be a whole number from 1 to ${RATE_MAX}`)
}

function flagOf(body: JsonObject, member: string): boolean {
  const value = own(body, member) ?? false
  if (typeof value === 'boolean') return value
  throw invalidArgument(`Cannot use ${member}: must be true or false`)
}

function describeReplay(replay: ReplayStatus): JsonObject {
  const { request, counts, endedAtMs, message } = replay
  const { source, format, fromMs, toMs, errorCode, recordsPerSecond, dryRun } = request
  const described: JsonObject = {
    ReplayId: replay.replayId,
    State: replay.state,
    Message: message,
    DeliveryStreamName: request.stream.name,
    ToStream: request.target.name,
    Source: source && { Bucket: source.bucket, Prefix: source.prefix },
    Format: format,
    From: fromMs === undefined ? undefined : fromMs / 1_000,
    To: toMs === undefined ? undefined : toMs / 1_000,
    ErrorCode: errorCode,
    RecordsPerSecond: recordsPerSecond,
    DryRun: dryRun,
    StartedTimestamp: replay.startedAtMs / 1_000,
    EndedTimestamp: endedAtMs === undefined ? undefined : endedAtMs / 1_000,
    ObjectCount: counts.objectCount,
    ReadRecordCount: counts.readCount,
    SelectedRecordCount: counts.selectedCount,
    ReplayedRecordCount: counts.replayedCount,
    AlreadyReplayedRecordCount: counts.alreadyReplayedCount,
  }
  const given = Object.entries(described).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given)
}
