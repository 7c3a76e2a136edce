import type { Route } from '../operation.ts'

/** `GET /metrics`, for Prometheus. */
export function metricsRoute(contentType: string, text: () => Promise<string>): Route {
  return {
    method: 'GET',
    path: '/metrics',
    action: 'GetMetrics',
    takesMetricsToken: true,
    bodyBytesMax: 0,
    audited: false,
    handle: async () => ({ statusCode: 200, body: await text(), contentType }),
  }
}
