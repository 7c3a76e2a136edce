import { headerValues } from './http-client.ts'
import type { AnswerHeaders } from './http-client.ts'

/**
 * How long an answer asks us to wait, in ms: its Retry-After in seconds or as a date (RFC 9110).
 * Undefined when it doesn't say, or what it says makes no sense.
 */
export function retryAfterMs(headers: AnswerHeaders, nowMs: number): number | undefined {
  const [text] = headerValues(headers, 'retry-after')
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000
  const atMs = Date.parse(text)
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs)
}
