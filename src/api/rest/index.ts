/** Standpipe's own routes, besides the Firehose API at `POST /`. */
import type { Route } from '../operation.ts'
import { explainRecord } from './explain.ts'
import { firehoseEndpoint } from './firehose-endpoint.ts'
import { listFunctions } from './functions.ts'
import { health, healthLive, healthReady } from './health.ts'
import { putRecords } from './put-records.ts'
import { getReceipt } from './record-status.ts'
import { cancelReplay, getReplay, listReplays, startReplay } from './replays.ts'
import { flushStream, pauseStream, resumeStream } from './stream-control.ts'
import { getStream, listStreams } from './stream-status.ts'

/** What a process answers that only delivers. */
export const healthRoutes: readonly Route[] = [health, healthLive, healthReady]

export const routes: readonly Route[] = [
  putRecords,
  firehoseEndpoint,
  explainRecord,
  listStreams,
  getStream,
  flushStream,
  pauseStream,
  resumeStream,
  startReplay,
  listReplays,
  getReplay,
  cancelReplay,
  getReceipt,
  listFunctions,
  ...healthRoutes,
]
