import type { JsonObject } from '../../src/base/json.ts'

/** A request as the SDKs take it; the record data is text, which every client can send. */
export type Input = JsonObject

export type Outcome =
  | { readonly output: JsonObject }
  | { readonly errorType: string; readonly message: string }

/** How a client reaches the service. */
export interface Connection {
  readonly url: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/**
 * An AWS client, whatever its language: calls one operation and tells what came of it. `Data`
 * members of the input are text and are sent as that text's UTF-8 bytes.
 */
export interface FirehoseCaller extends AsyncDisposable {
  call(operation: string, input: Input): Promise<Outcome>
}

/** A kind of client that may be missing on this machine. */
export interface ClientKind {
  readonly name: string
  /** Installs it into .cache/ if need be; undefined when that can't be done here. */
  install(): Promise<((connection: Connection) => FirehoseCaller) | undefined>
}

/** `input` with every `Data` member replaced. */
export function mapData(input: unknown, map: (text: string) => unknown): unknown {
  if (Array.isArray(input)) return input.map((item) => mapData(item, map))
  if (typeof input !== 'object' || input === null || input instanceof Date) return input
  return Object.fromEntries(
    Object.entries(input).map(([name, value]) => [
      name,
      name === 'Data' && typeof value === 'string' ? map(value) : mapData(value, map),
    ]),
  )
}
