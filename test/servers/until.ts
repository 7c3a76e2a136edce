import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 20

/** Repeats `look` until it gives something, or fails with `what` after `withinMs`. */
export async function until<Found>(
  what: string,
  withinMs: number,
  look: () => Promise<Found | undefined>,
  pollMs = POLL_MS,
): Promise<Found> {
  const deadlineMs = performance.now() + withinMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > deadlineMs) throw new Error(`Not within ${withinMs} ms: ${what}`)
    await sleep(pollMs)
  }
}
