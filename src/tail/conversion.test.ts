import { expect, test } from 'vitest'
import { conversionOf } from './conversion.ts'
import type { ConversionOptions } from './conversion.ts'
import { logPattern } from './log-to-json.ts'

function convert(record: string | Buffer, options: Partial<ConversionOptions>): string | undefined {
  const conversion = conversionOf({ singleLine: false, csv: undefined, log: undefined, ...options })
  return conversion(Buffer.from(record))?.toString()
}

function parsed(line: string, ...parameters: Parameters<typeof logPattern>): unknown {
  const json = convert(`${line}\n`, { log: logPattern(...parameters) })
  return json === undefined ? undefined : (JSON.parse(json) as unknown)
}

test('without options a record stays as it is', () => {
  const record = Buffer.from([0xff, 0x20, 0x0d, 0x0a])
  expect(conversionOf({ singleLine: false, csv: undefined, log: undefined })(record)).toBe(record)
})

test('single-line takes newlines away, and the white space around each line', () => {
  expect(convert('Error: no\n\tat a (b)\n\n  at ä  \r\n', { singleLine: true })).toBe(
    'Error: noat a (b)at ä\n',
  )
  expect(
    conversionOf({ singleLine: true, csv: undefined, log: undefined })(Buffer.from([0xa0])),
  ).toEqual(Buffer.from([0xa0, 0x0a]))
})

test.each([
  ['v1,v2\n', '{"f1":"v1","2":"v2","1":null}\n'],
  ['v1, "v2" ,v3,v4\r\n', '{"f1":"v1","2":" \\"v2\\" ","1":"v3"}\n'],
  [',,\n', '{"f1":"","2":null,"1":null}\n'],
  ['a,,c', '{"f1":"a","2":"","1":"c"}\n'],
])('csv-to-json names the columns of %j in their order', (record, json) => {
  expect(convert(record, { csv: { fieldNames: ['f1', '2', '1'], delimiter: ',' } })).toBe(json)
})

test('csv-to-json cuts at any delimiter, which is no pattern', () => {
  expect(convert('a||b|c', { csv: { fieldNames: ['x', 'y'], delimiter: '||' } })).toBe(
    '{"x":"a","y":"b|c"}\n',
  )
})

test('several lines can be joined before they are converted', () => {
  expect(
    convert('a,\n  b\n', { singleLine: true, csv: { fieldNames: ['x', 'y'], delimiter: ',' } }),
  ).toBe('{"x":"a","y":"b"}\n')
})

const COMMON = '64.242.88.10 - frank [07/Mar/2004:16:10:02 -0800] "GET /a \\"b\\" HTTP/1.1" 200 -'

test('the common log of Apache', () => {
  const fields = {
    host: '64.242.88.10',
    ident: null,
    authuser: 'frank',
    datetime: '07/Mar/2004:16:10:02 -0800',
    request: String.raw`GET /a \"b\" HTTP/1.1`,
    response: '200',
    bytes: null,
  }
  expect(parsed(COMMON, 'COMMONAPACHELOG', undefined, undefined)).toEqual(fields)
  // What follows is left out, so that it reads combined logs too.
  expect(parsed(`${COMMON} "-" "x"`, 'COMMONAPACHELOG', undefined, undefined)).toEqual(fields)
})

test('the combined log of Apache', () => {
  expect(
    parsed(`${COMMON} "-" "Mozilla/5.0 (X11)"`, 'COMBINEDAPACHELOG', undefined, undefined),
  ).toMatchObject({ host: '64.242.88.10', referer: null, agent: 'Mozilla/5.0 (X11)' })
  expect(parsed(COMMON, 'COMBINEDAPACHELOG', undefined, undefined)).toBeUndefined()
})

test.each([
  [
    '[Fri Sep 09 10:42:29.902022 2011] [core:error] [pid 35708:tid 4328636416] [client 72.15.99.187:80] File does not exist: /usr/x',
    ['core', 'error', '35708', '4328636416'],
  ],
  [
    '[Wed Oct 11 14:32:52 2000] [error] [pid 7] [client 127.0.0.1] File does not exist: /usr/x',
    [null, 'error', '7', null],
  ],
])('the error log of Apache: %s', (line, [module, severity, processid, threadid]) => {
  expect(parsed(line, 'APACHEERRORLOG', undefined, undefined)).toMatchObject({
    timestamp: line.slice(1, line.indexOf(']')),
    module,
    severity,
    processid,
    threadid,
    client: expect.stringMatching(/^(72.15.99.187:80|127.0.0.1)$/),
    message: 'File does not exist: /usr/x',
  })
})

test.each([
  ['Mar 12 12:00:08 server2 sshd[4711]: - accepted', 'sshd', '4711'],
  ['Mar  2 12:00:08 server2 CRON/x: - accepted', 'CRON/x', null],
])('syslog: %s', (line, program, processid) => {
  expect(parsed(line, 'SYSLOG', undefined, undefined)).toEqual({
    timestamp: line.slice(0, 15),
    hostname: 'server2',
    program,
    processid,
    message: '- accepted',
  })
})

test('other names, and another pattern for the whole record', () => {
  const names = ['a', 'b', 'c', 'd', 'e']
  expect(parsed('Mar 12 12:00:08 h p: m', 'SYSLOG', undefined, names)).toEqual({
    a: 'Mar 12 12:00:08',
    b: 'h',
    c: 'p',
    d: null,
    e: 'm',
  })
  expect(parsed('x=1', 'SYSLOG', String.raw`(\w)=(\d)`, ['k', 'v'])).toEqual({ k: 'x', v: '1' })
  expect(parsed('x=12', 'SYSLOG', String.raw`(\w)=(\d)`, ['k', 'v'])).toBeUndefined()
})

test.each([
  [['NGINX', undefined, undefined], 'the format is one of COMMONAPACHELOG, COMBINEDAPACHELOG,'],
  [['SYSLOG', '(.*)', undefined], 'a match pattern needs field names'],
  [['SYSLOG', '(.*)', ['a', 'b']], '2 field names are given for 1 groups'],
  [['SYSLOG', undefined, ['a']], '1 field names are given for 5 groups'],
  [['SYSLOG', '(', ['a']], 'Unterminated group'],
] as const)('%j is refused', ([format, matchPattern, fieldNames], message) => {
  expect(() => logPattern(format, matchPattern, fieldNames)).toThrow(message)
})
