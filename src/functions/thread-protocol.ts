/** What passes between a function's thread (thread-entry.ts) and who calls it (function-thread.ts). */
import { isJsonObject } from '../base/json.ts'
import type { ModuleSource } from './module-code.ts'
import type { Packed, PackedAnswer } from './packed-records.ts'

/** What the thread is told at start. */
export interface ThreadData {
  readonly functionName: string
  readonly memoryMB: number
  /** URL of the function's module. */
  readonly module: string
  /** By URL: what is loaded from here instead of from disk. */
  readonly sources: ReadonlyMap<string, ModuleSource>
}

/** To the thread; the next one only after the answer to this one. */
export interface Invocation {
  readonly event: Packed
  readonly functionArn: string
  /** Wall time at which the thread is ended. */
  readonly deadlineMs: number
}

/** From the thread. */
export type ThreadMessage = ThreadAnswer | ThreadFailure | ThreadLog

export function isThreadMessage(message: unknown): message is ThreadMessage {
  const kind = isJsonObject(message) ? message['kind'] : undefined
  return kind === 'answer' || kind === 'failure' || kind === 'log'
}

export interface ThreadAnswer {
  readonly kind: 'answer'
  readonly answer: PackedAnswer
  /** What the thread holds after it, in heap and buffers, garbage included. */
  readonly heldBytes: number
}

export interface ThreadFailure {
  readonly kind: 'failure'
  readonly errorType: string
  readonly errorMessage: string
  /** The module can't be loaded: the thread is of no use. */
  readonly isLoadFailure: boolean
}

export interface ThreadLog {
  readonly kind: 'log'
  readonly level: 'info' | 'warn'
  readonly text: string
}
