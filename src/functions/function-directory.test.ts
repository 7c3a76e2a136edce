/** What answers to an ARN: the settings, the modules, URLs, Lambda. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { eventOf, FunctionFixture, functionArn } from '../../test/fakes/function-fixtures.ts'
import { ScriptedHttp } from '../../test/fakes/scripted-http.ts'
import { ConfigurationError } from '../destination.ts'

const never = new AbortController().signal
const ARN = functionArn('enrich')
const answering = (text: string): string => `export const handler = async () => '${text}'`

beforeEach(() => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
})
afterEach(() => void vi.unstubAllEnvs())

test('a function is found by its name among the modules', async () => {
  await using fixture = new FunctionFixture({
    'enrich.js': answering('js'),
    'enrich.test.ts': 'no function',
    'lib/redact.ts': 'no function either',
  })
  expect(await fixture.functions.find(ARN)).toBe(`module ${fixture.directory}/enrich.js`)
  for (const arn of [ARN, `${ARN}:$LATEST`, `${ARN}:7`, ARN.replace('arn:aws:', 'arn:aws-cn:')]) {
    const lease = await fixture.functions.lease(arn)
    expect((await lease.invoke(eventOf('x'), never)).value).toBe('js')
  }
  fixture.write({ 'enrich.ts': answering('ts') })
  expect(await fixture.functions.find(ARN)).toBe(`module ${fixture.directory}/enrich.ts`)
})

test('the mapping goes before: by ARN, by ARN without version, by name', async () => {
  const outside = mkdtempSync(join(tmpdir(), 'standpipe-outside-'))
  writeFileSync(join(outside, 'c.mjs'), answering('absolute'))
  await using fixture = new FunctionFixture(
    { 'enrich.mjs': answering('by name'), 'lib/a.mjs': answering('a'), 'b.mjs': answering('b') },
    { mapping: { [`${ARN}:2`]: 'lib/a.mjs', [ARN]: './b.mjs', other: join(outside, 'c.mjs') } },
  )
  const answerTo = async (arn: string): Promise<unknown> => {
    const lease = await fixture.functions.lease(arn)
    return (await lease.invoke(eventOf('x'), never)).value
  }
  expect(await answerTo(`${ARN}:2`)).toBe('a')
  expect(await answerTo(`${ARN}:3`)).toBe('b')
  expect(await answerTo(functionArn('other'))).toBe('absolute')
  expect(await fixture.functions.find(functionArn('other'))).toBe(`module ${outside}/c.mjs`)
  rmSync(outside, { recursive: true })
  await expect(fixture.functions.find(functionArn('other'))).rejects.toThrow(
    `maps it to ${outside}/c.mjs, which is not there`,
  )
})

test.for([
  'enrich',
  'arn:aws:lambda:us-east-1:000000000000:layer:enrich',
  functionArn('../../etc/passwd'),
  functionArn('a/b'),
  functionArn('a.b'),
  functionArn(''),
  `${functionArn('a')}\n`,
])('%j is no ARN of a function', async (arn) => {
  await using fixture = new FunctionFixture({ 'a/b.ts': '', 'a.b.ts': '', 'enrich.ts': '' })
  await expect(fixture.functions.find(arn)).rejects.toThrow(
    new ConfigurationError(`Cannot use ${arn}: it is not the ARN of a Lambda function`),
  )
  await expect(fixture.functions.lease(arn)).rejects.toMatchObject({
    errorCode: 'Lambda.ResourceNotFound',
  })
})

test('a directory that can not be read is an error of the invocation, and of the configuration', async () => {
  const directory = `/${'x'.repeat(300)}`
  await using fixture = new FunctionFixture({}, { directory })
  await expect(fixture.functions.find(ARN)).rejects.toThrow(
    new ConfigurationError(
      `Cannot use ${ARN}: ENAMETOOLONG: name too long, scandir '${directory}'`,
    ),
  )
  await expect(fixture.functions.lease(ARN)).rejects.toMatchObject({
    errorCode: 'Lambda.FunctionError',
    message: `Runtime.ImportError: ENAMETOOLONG: name too long, scandir '${directory}'`,
  })
})

test('names that objects inherit are in no mapping', async () => {
  await using fixture = new FunctionFixture({ 'constructor.mjs': answering('found') })
  expect((await fixture.invoke('constructor')).value).toBe('found')
})

test('a URL is found when something takes connections there', async () => {
  await using server = await ScriptedHttp.start(() => ({ status: 200, body: '"hello"' }))
  const mapping = { enrich: server.url, gone: 'http://127.0.0.1:1/' }
  await using fixture = new FunctionFixture({}, { mapping })
  expect(await fixture.functions.find(ARN)).toBe(server.url)
  expect((await fixture.invoke('enrich')).value).toBe('hello')
  const gone = functionArn('gone')
  await expect(fixture.functions.find(gone)).rejects.toThrow(
    new ConfigurationError(
      `Cannot use ${gone}: the setting functions maps it to http://127.0.0.1:1/, where nothing answers: ` +
        'connect ECONNREFUSED 127.0.0.1:1',
    ),
  )
})

test('what is nowhere is looked for on Lambda, by the ARN that the mapping may give', async () => {
  await using server = await ScriptedHttp.start(({ path }) =>
    path.includes('none')
      ? {
          status: 404,
          headers: { 'x-amzn-errortype': 'ResourceNotFoundException' },
          body: '{"message":"no such function"}',
        }
      : { status: 200, body: '{}' },
  )
  const mapping = { enrich: 'lambda', other: functionArn('real') }
  const lambda = { endpoint: server.url, region: 'us-east-1' }
  await using fixture = new FunctionFixture(
    { 'enrich.mjs': answering('module') },
    { mapping, lambda },
  )
  expect(await fixture.functions.find(ARN)).toBe(`${ARN} at ${server.url}`)
  expect(await fixture.functions.find(functionArn('other'))).toBe(
    `${functionArn('real')} at ${server.url}`,
  )
  expect((await fixture.invoke('unmapped')).value).toEqual({})
  const none = functionArn('none')
  const { message } = (await fixture.functions.find(none).catch((error: unknown) => error)) as Error
  expect(message).toBe(
    `Cannot use ${none}: nothing answers to it. Name a module or URL for it in the setting functions, ` +
      `put a module none.ts or .js into ${fixture.directory}, or have it at ${server.url}: ` +
      'ResourceNotFoundException: no such function',
  )
})

test('without credentials there is no Lambda, and that is found out soon', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', undefined)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined)
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  vi.stubEnv('AWS_CONFIG_FILE', '/none')
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/none')
  await using fixture = new FunctionFixture({})
  await expect(fixture.functions.find(ARN)).rejects.toThrow(
    'or have it at AWS Lambda: no AWS credentials were found to ask Lambda for it',
  )
})
