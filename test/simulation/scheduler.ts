/**
 * All that happens in a simulation is an event in one queue, ordered by virtual time. Between two
 * events every promise that can settle does, so that the engine's own code runs to its next wait.
 * Nothing here waits for real time.
 */
import type { Trace } from './trace.ts'

/** Whose event it is: events of a dead owner never happen. */
export interface Owner {
  readonly alive: boolean
}

interface ScheduledEvent {
  readonly atMs: number
  readonly sequence: number
  readonly owner: Owner
  readonly name: string
  readonly action: () => void
  cancelled: boolean
}

/** What is not part of any process: the world around it. */
export const THE_WORLD: Owner = { alive: true }

export class Scheduler {
  /** Virtual time since the beginning. */
  nowMs = 0
  /** Events that have happened. */
  stepCount = 0
  readonly #trace: Trace
  /** Binary heap, the earliest first. */
  readonly #heap: ScheduledEvent[] = []
  #sequence = 0

  constructor(trace: Trace) {
    this.#trace = trace
  }

  /** Returns a function that cancels the event. */
  after(delayMs: number, owner: Owner, name: string, action: () => void): () => void {
    this.#sequence += 1
    const atMs = this.nowMs + Math.max(delayMs, 0)
    const event = { atMs, sequence: this.#sequence, owner, name, action, cancelled: false }
    this.#push(event)
    return () => {
      event.cancelled = true
    }
  }

  /** Lets events happen until `done` says so or `deadlineMs` is reached; false at the deadline. */
  async runUntil(done: () => boolean, deadlineMs: number): Promise<boolean> {
    await settle()
    while (!done()) {
      const event = this.#heap[0]
      if (event === undefined || event.atMs > deadlineMs) {
        this.nowMs = deadlineMs
        return false
      }
      this.#pop()
      if (event.cancelled || !event.owner.alive) continue
      this.nowMs = event.atMs
      this.stepCount += 1
      this.#trace.note(event.atMs, event.name)
      event.action()
      await settle()
    }
    return true
  }

  #push(event: ScheduledEvent): void {
    const heap = this.#heap
    let index = heap.length
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent] as ScheduledEvent
      if (isBefore(above, event)) break
      heap[index] = above
      index = parent
    }
    heap[index] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      const left = heap[2 * index + 1]
      const right = heap[2 * index + 2]
      const useRight = right !== undefined && left !== undefined && isBefore(right, left)
      const child = useRight ? right : left
      if (child === undefined || isBefore(last, child)) break
      heap[index] = child
      index = 2 * index + (useRight ? 2 : 1)
    }
    heap[index] = last
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence)
}

/** Every promise reaction and next tick that is possible now has run when this resolves. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
