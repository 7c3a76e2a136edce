import { expect, test } from 'vitest'
import type { Logger } from './logger.ts'
import { pinoLogger } from './pino-logger.ts'

function logged(format: 'json' | 'text', write: (logger: Logger) => void): string[] {
  const lines: string[] = []
  const stream = { write: (line: string) => lines.push(line) }
  write(pinoLogger({ level: 'info', format, stream }))
  return lines
}

test('a line is one JSON object with level, time, message and fields', () => {
  const lines = logged('json', (logger) => logger.info({ port: 4573 }, 'The service listens.'))
  expect(lines).toHaveLength(1)
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    port: 4573,
    message: 'The service listens.',
  })
})

test('lines below the level are not written', () => {
  expect(logged('json', (logger) => logger.debug({}, 'Not this.'))).toEqual([])
})

test('an error is logged with its stack and its cause', () => {
  const error = new Error('Cannot write: disk', { cause: new Error('ENOSPC') })
  const [line = ''] = logged('json', (logger) => logger.error({ error }, 'A batch is lost.'))
  expect(JSON.parse(line)).toMatchObject({
    error: { message: 'Cannot write: disk', cause: { message: 'ENOSPC' } },
  })
  expect(line).toContain('pino-logger.test.ts')
})

test('secrets are masked at any depth a line of ours has', () => {
  const secret = 'hush'
  const fields = {
    secret,
    headers: { authorization: secret, 'x-amz-security-token': secret },
    request: { configuration: { SplunkDestinationConfiguration: { HECToken: secret } } },
    key: { accessKeys: [{ id: 'AKID', secret }] },
    'x-amz-security-token': secret,
  }
  const [line] = logged('json', (logger) => logger.info(fields, 'Much was said.'))
  expect(line).not.toContain(secret)
  expect(line).toContain('***')
})

test('the text form is a short line, with the message of an error and no stack', () => {
  const [line] = logged('text', (logger) =>
    logger.warn({ stream: 'logs', attempt: 2, error: new Error('reset') }, 'Tried again.'),
  )
  expect(line).toMatch(
    /^\d\d:\d\d:\d\d WARN {2}Tried again\. stream=logs attempt=2 error="reset"\n$/,
  )
})
