/**
 * The slice of pino that Standpipe uses. ERROR: data was lost or an operator must act. WARN:
 * something unexpected without loss. Messages are sentences, values are fields.
 */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }
