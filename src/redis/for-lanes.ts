import type { Lane } from './lanes.ts'

/** Commands on their way at the same time; those of one tick share a write to the socket. */
const AT_ONCE_MAX = 256

/**
 * Asks each lane, and answers in the lanes' order. Each is asked by a command of its own, because on a
 * cluster no pipeline may span several nodes.
 */
export async function forLanes<T>(
  lanes: readonly Lane[],
  ask: (lane: Lane) => Promise<T>,
): Promise<T[]> {
  const answers: T[] = []
  for (let start = 0; start < lanes.length; start += AT_ONCE_MAX) {
    answers.push(...(await Promise.all(lanes.slice(start, start + AT_ONCE_MAX).map(ask))))
  }
  return answers
}

/** The first answer that one of the lanes has: for what is in one lane at most, and nobody knows which. */
export async function findInLanes<T>(
  lanes: readonly Lane[],
  ask: (lane: Lane) => Promise<T | undefined>,
): Promise<T | undefined> {
  for (let start = 0; start < lanes.length; start += AT_ONCE_MAX) {
    const answers = await Promise.all(lanes.slice(start, start + AT_ONCE_MAX).map(ask))
    const answer = answers.find((answer) => answer !== undefined)
    if (answer !== undefined) return answer
  }
  return undefined
}
