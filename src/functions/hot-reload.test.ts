import { renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventOf, FunctionFixture, functionArn } from '../../test/fakes/function-fixtures.ts'

const never = new AbortController().signal
const CHANGED = 'The code of functions has changed; batches under way end on the old one.'

function answering(text: string): string {
  return `export const handler = async (event) => {
    if (event.records.length === 0) process.exit()
    return '${text}'
  }`
}

test('a change is seen by the next lease; the ones before it end on the old code', async () => {
  await using fixture = new FunctionFixture({ 'a.mjs': answering('old') })
  const lease = await fixture.functions.lease(functionArn('a'))
  fixture.write({ 'a.mjs': answering('the new one') })
  expect((await fixture.invoke('a')).value).toBe('the new one')
  expect((await lease.invoke(eventOf('x'), never)).value).toBe('old')
  lease.release()
  expect(fixture.log.map(({ message }) => message)).toEqual([CHANGED])
})

test('a thread that is started anew for an old lease has the old code, too', async () => {
  await using fixture = new FunctionFixture({
    'a.ts': `import { text } from './lib/text.ts'\n${answering('').replace("''", 'text')}`,
    'lib/text.ts': "export const text: string = 'old'",
  })
  const lease = await fixture.functions.lease(functionArn('a'))
  expect((await lease.invoke(eventOf('x'), never)).value).toBe('old')
  fixture.write({ 'lib/text.ts': "export const text: string = 'the new one'" })
  await expect(lease.invoke(eventOf(), never)).rejects.toThrow('Runtime.ExitError')
  expect((await lease.invoke(eventOf('x'), never)).value).toBe('old')
  rmSync(join(fixture.directory, 'lib'), { recursive: true })
  await expect(lease.invoke(eventOf(), never)).rejects.toThrow('Runtime.ExitError')
  expect((await lease.invoke(eventOf('x'), never)).value).toBe('old')
})

test('threads of the old code end with its last lease', async () => {
  await using fixture = new FunctionFixture({ 'a.mjs': answering('old') })
  const leases = await Promise.all([1, 2].map(() => fixture.functions.lease(functionArn('a'))))
  fixture.write({ 'a.mjs': answering('the new one') })
  await fixture.invoke('a')
  const [first, second] = leases
  first?.release()
  first?.release()
  expect((await second?.invoke(eventOf('x'), never))?.value).toBe('old')
  second?.release()
  await expect(second?.invoke(eventOf('x'), never)).rejects.toThrow('the function was ended')
})

test('a broken new version fails until it is mended', async () => {
  await using fixture = new FunctionFixture({ 'a.mjs': answering('old') })
  fixture.write({ 'a.mjs': 'export const' })
  await expect(fixture.invoke('a')).rejects.toMatchObject({
    errorCode: 'Lambda.FunctionError',
    message: expect.stringMatching(/^SyntaxError: /) as string,
  })
  fixture.write({ 'a.mjs': answering('mended') })
  expect((await fixture.invoke('a')).value).toBe('mended')
})

test('what is not changed is not loaded again, whatever happens in node_modules', async () => {
  await using fixture = new FunctionFixture({
    'a.mjs': 'let calls = 0\nexport const handler = async () => ++calls',
  })
  await fixture.invoke('a')
  fixture.write({ 'node_modules/x/index.js': '', '.hidden': '' })
  expect((await fixture.invoke('a')).value).toBe(2)
  fixture.write({ 'table.csv': 'a,b' })
  expect((await fixture.invoke('a')).value).toBe(1)
})

test('a function that goes and comes again is told apart from one that fails', async () => {
  const mapping = { a: 'a.mjs' }
  await using fixture = new FunctionFixture({ 'a.mjs': answering('old') }, { mapping })
  expect((await fixture.invoke('a')).value).toBe('old')
  renameSync(join(fixture.directory, 'a.mjs'), join(fixture.directory, 'b.mjs'))
  await expect(fixture.invoke('a')).rejects.toMatchObject({
    errorCode: 'Lambda.ResourceNotFound',
    message: `Cannot find the function: ${fixture.directory}/a.mjs is not there`,
  })
  renameSync(join(fixture.directory, 'b.mjs'), join(fixture.directory, 'a.mjs'))
  expect((await fixture.invoke('a')).value).toBe('old')
})

test('a folder that is swapped behind a link, as Kubernetes does, is followed', async () => {
  await using fixture = new FunctionFixture({
    '..1/a.mjs': `import { text } from './b.mjs'\n${answering('').replace("''", 'text')}`,
    '..1/b.mjs': "export const text = 'old'",
    '..2/a.mjs': answering('the new one'),
  })
  const at = (name: string): string => join(fixture.directory, name)
  symlinkSync('..1', at('..data'))
  symlinkSync('..data/a.mjs', at('a.mjs'))
  symlinkSync('..data/b.mjs', at('b.mjs'))
  const lease = await fixture.functions.lease(functionArn('a'))
  symlinkSync('..2', at('..next'))
  renameSync(at('..next'), at('..data'))
  rmSync(at('..1'), { recursive: true })
  expect((await fixture.invoke('a')).value).toBe('the new one')
  expect((await lease.invoke(eventOf('x'), never)).value).toBe('old')
})
