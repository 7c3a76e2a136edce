/** Folders of functions, and events, for tests. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import type { Clock } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/logger.ts'
import { FunctionDirectory } from '../../src/functions/function-directory.ts'
import type { FunctionDirectoryOptions } from '../../src/functions/function-directory.ts'
import type { FunctionAnswer, TransformationEvent } from '../../src/functions.ts'

export interface LogLine {
  readonly level: keyof Logger
  readonly fields: object
  readonly message: string
}

export function functionArn(name: string): string {
  return `arn:aws:lambda:us-east-1:000000000000:function:${name}`
}

export function eventOf(...datas: readonly string[]): TransformationEvent {
  return {
    invocationId: '11111111-2222-4333-8444-555555555555',
    deliveryStreamArn: 'arn:aws:firehose:us-east-1:000000000000:deliverystream/logs',
    region: 'us-east-1',
    records: datas.map((data, index) => ({
      recordId: `record-${index}`,
      approximateArrivalTimestamp: 1_780_000_000_000 + index,
      data: Buffer.from(data).toString('base64'),
    })),
  }
}

/** A module of which only the handler's body matters. */
export function handler(body: string): string {
  return `export async function handler(event, context) { ${body} }`
}

/** A sleep of exactly this length ends only by its signal, or when the test says so. */
export function clockThatSleepsThrough(
  lengthMs: number,
  begun: (end: () => void) => void = () => {},
): Clock {
  return {
    ...systemClock,
    sleep(durationMs, signal) {
      if (durationMs !== lengthMs) return systemClock.sleep(durationMs, signal)
      return new Promise((resolve) => {
        begun(resolve)
        signal?.addEventListener('abort', () => resolve())
      })
    },
  }
}

/** A FunctionDirectory over a folder of its own. */
export class FunctionFixture implements AsyncDisposable {
  readonly directory: string
  readonly functions: FunctionDirectory
  readonly log: LogLine[] = []

  constructor(
    files: Readonly<Record<string, string>>,
    options: Partial<FunctionDirectoryOptions> = {},
  ) {
    this.directory = mkdtempSync(join(tmpdir(), 'standpipe-functions-'))
    this.write(files)
    const at =
      (level: keyof Logger) =>
      (fields: object, message: string): void =>
        void this.log.push({ level, fields, message })
    this.functions = new FunctionDirectory({
      directory: this.directory,
      mapping: {},
      lambda: { region: 'us-east-1' },
      timeoutMs: 10_000,
      memoryMB: 128,
      clock: systemClock,
      logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
      ...options,
    })
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [name, source] of Object.entries(files)) {
      const path = join(this.directory, name)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, source)
    }
  }

  /** One invocation with a lease of its own. */
  async invoke(name: string, event = eventOf('x')): Promise<FunctionAnswer> {
    const lease = await this.functions.lease(functionArn(name))
    try {
      return await lease.invoke(event, new AbortController().signal)
    } finally {
      lease.release()
    }
  }

  /** What the functions have written. */
  lines(): string[] {
    return this.log.flatMap(({ fields }) => ('line' in fields ? [String(fields.line)] : []))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.functions.close()
    rmSync(this.directory, { recursive: true })
  }
}
