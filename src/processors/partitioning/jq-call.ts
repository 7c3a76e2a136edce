import type { Json } from '../../base/json.ts'

/** What a query made of one record. */
export type JqResult = { readonly value: Json } | { readonly error: string }

/** What the thread of jq is asked (jq-thread.ts). It has one call at a time. */
export type JqCall = JqCheck | JqRun

/** Whether a query compiles. It is not run. */
export interface JqCheck {
  readonly kind: 'check'
  readonly query: string
}

export interface JqRun {
  readonly kind: 'run'
  readonly query: string
  /** The records, one after the other; all of a buffer, which is handed over. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Where each of them ends. */
  readonly ends: readonly number[]
}

export type JqAnswer =
  /** The first message of a thread, without a call. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'compiled' }
  /** One for each record. */
  | { readonly kind: 'results'; readonly results: readonly JqResult[] }
  | JqFailure

/** Nothing can be said of any record of the call. */
export interface JqFailure {
  readonly kind: 'failure'
  /** In jq's words where they are known. */
  readonly message: string
  /** The thread can't be used any more. */
  readonly isSpent: boolean
}

/** AWS's limit for the value of a processor's parameter. */
export const QUERY_LENGTH_MAX = 5120
