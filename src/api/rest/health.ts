/** `GET /health`: live when it answers at all, ready while the store has room for records. */
import type { ApiContext } from '../context.ts'
import type { Route, RouteResponse } from '../operation.ts'

const open = { method: 'GET', action: undefined, bodyBytesMax: 0, audited: false } as const

export const health: Route = {
  ...open,
  path: '/health',
  handle: async (_request, context) => readiness(context),
}

export const healthLive: Route = {
  ...open,
  path: '/health/live',
  handle: async () => ({ statusCode: 200, body: { live: true } }),
}

export const healthReady: Route = {
  ...open,
  path: '/health/ready',
  handle: async (_request, context) => readiness(context),
}

function readiness({ store }: ApiContext): RouteResponse {
  const ready = store.usage().accepting
  return { statusCode: ready ? 200 : 503, body: { live: true, ready } }
}
