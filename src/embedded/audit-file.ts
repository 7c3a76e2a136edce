import { closeSync, openSync, writeSync } from 'node:fs'
import type { JsonObject } from '../base/json.ts'
import type { Logger } from '../base/logger.ts'

/**
 * The audit trail as a file of JSON lines, appended to and never rewritten; rotate it by renaming and
 * a restart. Written synchronously: control operations are rare, and the line is in the kernel's hands
 * before the answer leaves.
 */
export class AuditFile {
  readonly #path: string
  readonly #descriptor: number
  readonly #logger: Logger

  constructor(path: string, logger: Logger) {
    this.#path = path
    this.#descriptor = openSync(path, 'a', 0o600)
    this.#logger = logger
  }

  /** Never throws: the operation is done by now, and its audit goes to the log instead. */
  record(event: JsonObject): void {
    try {
      writeSync(this.#descriptor, `${JSON.stringify(event)}\n`)
    } catch (error) {
      this.#logger.error({ path: this.#path, event, error }, 'The audit file takes no more lines.')
    }
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}
