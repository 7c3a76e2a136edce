import { destination as openDescriptor, pino, stdSerializers } from 'pino'
import type { DestinationStream, LoggerOptions } from 'pino'
import { systemClock } from './clock.ts'
import type { Logger } from './logger.ts'

export interface PinoLoggerOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** `text`: short lines for people. `json`: one object a line. */
  readonly format: 'json' | 'text'
  /** Where lines go; by default stderr, written before the call returns so that none is lost. */
  readonly stream?: { write(line: string): unknown }
}

const SECRET_FIELDS = [
  'AccessKey',
  'HECToken',
  'KeyPassphrase',
  'Password',
  'PrivateKey',
  'SecretAccessKey',
  'accessKeys',
  'authorization',
  'metricsToken',
  'password',
  'plain',
  'privateKey',
  'secret',
  'secretAccessKey',
  'secretKey',
  'sessionToken',
  'sseKey',
  'wrappedDataKey',
  '["x-amz-security-token"]',
]
/** No line of ours nests deeper than a request in a field. */
const DEPTHS = ['', '*.', '*.*.', '*.*.*.']

/** A logger whose fields lose their secrets, should somebody log a configuration whole. */
export function pinoLogger({ level, format, stream }: PinoLoggerOptions): Logger {
  const lines: DestinationStream = stream ?? openDescriptor({ fd: 2, sync: true })
  const options: LoggerOptions = {
    level,
    base: null,
    messageKey: 'message',
    timestamp: () => `,"time":"${new Date(systemClock.nowMs()).toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { error: stdSerializers.errWithCause },
    redact: { paths: secretPaths(), censor: '***' },
  }
  return pino(options, format === 'json' ? lines : textLines(lines))
}

function secretPaths(): string[] {
  return DEPTHS.flatMap((depth) =>
    SECRET_FIELDS.map((field) => (field.startsWith('[') ? depth.slice(0, -1) : depth) + field),
  )
}

/** `12:30:01 WARN  Cannot deliver a batch. errorCode=S3.AccessDenied …` */
function textLines(lines: DestinationStream): DestinationStream {
  return {
    write(line) {
      const { level, time, message, ...fields } = JSON.parse(line) as Record<string, unknown>
      const words = Object.entries(fields).map(([name, value]) => `${name}=${inWords(value)}`)
      const head = `${String(time).slice(11, 19)} ${String(level).toUpperCase().padEnd(5)}`
      lines.write(`${[head, message, ...words].join(' ')}\n`)
    },
  }
}

/** Of an error the message is enough for a terminal; its stack is in the JSON form. */
function inWords(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'object' && value !== null && 'stack' in value && 'message' in value) {
    return JSON.stringify(value.message)
  }
  return JSON.stringify(value)
}
