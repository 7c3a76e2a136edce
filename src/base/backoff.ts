import type { Clock } from './clock.ts'

export interface Backoff {
  readonly firstMs: number
  readonly maxMs: number
}

/**
 * Exponential back-off with jitter: `first · 2^(attempt-1)`, capped, times U(0.85, 1.15).
 * The spread is the one that AWS documents for HTTP endpoint delivery.
 * @param attempt how many attempts have failed, from 1
 */
export function backoffMs({ firstMs, maxMs }: Backoff, attempt: number, clock: Clock): number {
  const exponentialMs = firstMs * 2 ** Math.min(attempt - 1, 30)
  return Math.min(exponentialMs, maxMs) * (0.85 + 0.3 * clock.random())
}
