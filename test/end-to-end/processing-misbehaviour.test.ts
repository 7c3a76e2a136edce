/** Functions that misbehave, all at once, each on a stream of its own: none harms the service. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  deliveredText,
  eachRecord,
  errorRecords,
  functionArn,
  lambda,
  processing,
  ProcessingService,
  rawText,
} from './processing-service.ts'

const RECORDS = ['a', 'b', 'c']
const BYTES_MAX = 6 * 1024 * 1024

interface Misbehaviour {
  /** Of the handler, in which `all` has the records of a good answer. */
  readonly body: string
  readonly errorCode: string
  readonly errorMessage: RegExp
  /** Absent: all of them. */
  readonly failed?: readonly string[]
  /** Absent: 1. */
  readonly attemptsMade?: number
}

const MISBEHAVIOURS: Readonly<Record<string, Misbehaviour>> = {
  throws: {
    body: 'throw new TypeError("no such thing")',
    errorCode: 'Lambda.FunctionError',
    errorMessage: /^TypeError: no such thing$/,
  },
  'throws-again': {
    body: 'throw new TypeError("still not")',
    errorCode: 'Lambda.FunctionError',
    errorMessage: /^TypeError: still not$/,
    attemptsMade: 3,
  },
  'throws-later': {
    body: 'setImmediate(() => { throw new Error("late") }); await new Promise(() => {})',
    errorCode: 'Lambda.FunctionError',
    errorMessage: /^Error: late$/,
  },
  hangs: {
    body: 'await new Promise(() => {})',
    errorCode: 'Lambda.FunctionError',
    errorMessage: /^Sandbox\.Timedout: Task timed out after 2\.00 seconds$/,
  },
  spins: {
    body: 'for (;;);',
    errorCode: 'Lambda.FunctionError',
    errorMessage: /^Sandbox\.Timedout: Task timed out after 2\.00 seconds$/,
  },
  leaks: {
    body: 'const held = []; for (;;) held.push(Buffer.alloc(1e6, 1), Array(1e5).fill(held))',
    errorCode: 'Lambda.FunctionError',
    errorMessage: /^Runtime\.OutOfMemory: /,
  },
  'returns-nothing': {
    body: '',
    errorCode: 'Lambda.FunctionError',
    errorMessage: /^The function did not return a list of records$/,
  },
  'returns-junk': {
    body: 'return "junk"',
    errorCode: 'Lambda.FunctionError',
    errorMessage: /^The function did not return a list of records$/,
  },
  'returns-cycles': {
    body: 'all.push(all); return { records: all }',
    errorCode: 'Lambda.FunctionError',
    errorMessage: /^Runtime\.MarshalError: the answer is not JSON: /,
  },
  'returns-no-base64': {
    body: 'all[1].data = "not base64"; return { records: all }',
    errorCode: 'Lambda.FunctionError',
    errorMessage: /^The data returned for the record \S+ is not base64$/,
  },
  'returns-other-results': {
    body: 'all[2].result = "ok"; return { records: all }',
    errorCode: 'Lambda.FunctionError',
    errorMessage:
      /^The result returned for the record \S+ is none of Ok, Dropped and ProcessingFailed$/,
  },
  'returns-other-metadata': {
    body: 'all[0].metadata = { partitionKeys: { day: 1 } }; return { records: all }',
    errorCode: 'Lambda.JsonProcessingException',
    errorMessage: /^The partition key day of a returned record is not a string$/,
  },
  duplicates: {
    body: 'return { records: [all[0], all[1], all[0]] }',
    errorCode: 'Lambda.DuplicatedRecordId',
    errorMessage: /^The function returned the record \S+ more than once$/,
  },
  forgets: {
    body: 'return { records: [all[1]] }',
    errorCode: 'Lambda.MissingRecordId',
    errorMessage: /^The function did not return the record$/,
    failed: ['a', 'c'],
  },
  invents: {
    body: 'return { records: [...all, { ...all[0], recordId: "another" }] }',
    errorCode: 'Lambda.JsonProcessingException',
    errorMessage: /^The function returned 4 records for 3$/,
  },
  'returns-too-much': {
    body: `
      const answer = { records: all, pad: '' }
      answer.pad = 'x'.repeat(${BYTES_MAX} + 1 - JSON.stringify(answer).length)
      return answer`,
    errorCode: 'Lambda.FunctionError',
    errorMessage: /^The function returned 6291457 bytes, more than 6291456$/,
  },
  'returns-far-too-much': {
    body: "return { records: all, pad: 'x'.repeat(20e6) }",
    errorCode: 'Lambda.FunctionError',
    errorMessage: /^Function\.ResponseSizeTooLarge: the answer has 20000\d+ bytes, more than \d+$/,
  },
  exits: {
    body: 'process.exit(3)',
    errorCode: 'Lambda.FunctionError',
    errorMessage: /^Runtime\.ExitError: the function exited with code 3$/,
  },
  'is-no-code': {
    body: '}}}',
    errorCode: 'Lambda.FunctionError',
    errorMessage: /^SyntaxError: /,
  },
}

function moduleOf({ body }: Misbehaviour): string {
  return `export const handler = async (event) => {
    const all = event.records.map((record) => ({ ...record, result: 'Ok' }))
    ${body}
  }`
}

let standpipe: ProcessingService
beforeAll(async () => {
  const modules = Object.entries(MISBEHAVIOURS).map(([name, each]) => [
    `${name}.mjs`,
    moduleOf(each),
  ])
  standpipe = await ProcessingService.start(
    { ...Object.fromEntries(modules), 'good.mjs': eachRecord('ok(text + text)') },
    { STANDPIPE_FUNCTION_TIMEOUT_MS: '2000', STANDPIPE_FUNCTION_MEMORY_MB: '128' },
  )
})
afterAll(async () => standpipe?.[Symbol.asyncDispose]())

test('their records go to processing-failed under the codes of AWS, and the books balance', async () => {
  const names = Object.keys(MISBEHAVIOURS)
  for (const name of names) {
    const NumberOfRetries = String((MISBEHAVIOURS[name]?.attemptsMade ?? 1) - 1)
    await standpipe.createS3Stream(name, processing(lambda(name, { NumberOfRetries })))
  }
  await standpipe.createS3Stream('good', processing(lambda('good')))
  await Promise.all([...names, 'good'].map((name) => standpipe.put(name, RECORDS)))
  const settled = await Promise.all(names.map((name) => standpipe.settled(name)))
  const books = new Map(names.map((name, index) => [name, settled[index]]))

  for (const [name, misbehaviour] of Object.entries(MISBEHAVIOURS)) {
    const { errorCode, errorMessage, failed = RECORDS, attemptsMade = 1 } = misbehaviour
    const passed = RECORDS.filter((record) => !failed.includes(record))
    expect(books.get(name), name).toMatchObject({
      accepted: 3,
      delivered: passed.length,
      dropped: 0,
      errored: failed.length,
    })
    const objects = await standpipe.objects(name)
    expect(deliveredText(objects), name).toBe(passed.join(''))
    const failures = errorRecords(objects, 'processing-failed')
    expect(failures.map(rawText), name).toEqual(failed)
    for (const failure of failures) {
      expect(failure, name).toMatchObject({ errorCode, attemptsMade, lambdaARN: functionArn(name) })
      expect(failure.errorMessage, name).toMatch(errorMessage)
    }
  }
  expect(await standpipe.settled('good')).toMatchObject({ accepted: 3, delivered: 3 })
})

test('the service lives on, and tells how the functions did', async () => {
  await standpipe.service.ready()
  await standpipe.put('good', RECORDS)
  expect(await standpipe.settled('good')).toMatchObject({ accepted: 6, delivered: 6 })
  expect(deliveredText(await standpipe.objects('good'))).toBe('aabbccaabbcc')
  const { body } = await standpipe.http.get('/functions')
  const reports = body['Functions'] as { DeliveryStreamName: string }[]
  const byStream = new Map(reports.map((report) => [report.DeliveryStreamName, report]))
  for (const [name, { errorCode, attemptsMade = 1 }] of Object.entries(MISBEHAVIOURS)) {
    expect(byStream.get(name)).toMatchObject({
      Name: functionArn(name),
      InvocationCount: attemptsMade,
      FailureCount: attemptsMade,
      RecordCount: RECORDS.length * attemptsMade,
      LastFailure: { ErrorCode: errorCode },
    })
  }
  expect(byStream.get('good')).toMatchObject({ InvocationCount: 2, FailureCount: 0 })
})
