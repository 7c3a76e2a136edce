import type { Logger } from '../base/logger.ts'

/** Passes everything on, and counts what goes wrong. */
export class CountingLogger implements Logger {
  readonly #logger: Logger
  #errorCount = 0

  constructor(logger: Logger) {
    this.#logger = logger
  }

  get errorCount(): number {
    return this.#errorCount
  }

  debug(fields: object, message: string): void {
    this.#logger.debug(fields, message)
  }

  info(fields: object, message: string): void {
    this.#logger.info(fields, message)
  }

  warn(fields: object, message: string): void {
    this.#logger.warn(fields, message)
  }

  error(fields: object, message: string): void {
    this.#errorCount += 1
    this.#logger.error(fields, message)
  }
}
