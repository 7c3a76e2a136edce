/**
 * Templates of records, as the Kinesis Data Generator has them: text with placeholders.
 *
 *   placeholder:  '{{' function [ '(' parameters ')' ] '}}'
 *
 * - The function's name has two parts, `module.function` (template-functions.ts).
 * - Parameters are JSON, usually one value; what is not JSON is one string as it stands.
 * - Line breaks of the template are left out, so that whatever it makes is one line.
 * - `{{current.timestamp}}` is the old spelling of `{{date.now}}`.
 *
 * A template is compiled once and then run for each record.
 */
import type { Json } from '../../base/json.ts'
import type { TemplateFunctions } from './template-functions.ts'

/** Makes the text of the next record. */
export type Template = () => string

/** Cannot be used, with the placeholder at fault in the message. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
}

/** A placeholder names a function that does not exist. */
export class UnknownFunction extends TemplateError {
  readonly functionName: string

  constructor(functionName: string) {
    super(`Cannot use the template: there is no function ${functionName}`)
    this.functionName = functionName
  }
}

const PLACEHOLDER = /\{\{\s*([\w.]+)\s*(?:\(([^]*?)\)\s*)?\}\}/g

/**
 * Each placeholder is tried once, so that what cannot work is known before the first record.
 * @throws TemplateError
 */
export function compileTemplate(text: string, functions: TemplateFunctions): Template {
  const line = text
    .trim()
    .replaceAll(/[\r\n]/g, '')
    .replaceAll('{{current.timestamp}}', '{{date.now}}')
  const literals: string[] = []
  const makers: (() => unknown)[] = []
  let end = 0
  for (const match of line.matchAll(PLACEHOLDER)) {
    const [placeholder, name = '', parameters] = match
    literals.push(literalOf(line.slice(end, match.index)))
    makers.push(makerOf(placeholder, functions, name, parameters))
    end = match.index + placeholder.length
  }
  const last = literalOf(line.slice(end))
  return () => {
    let record = ''
    for (const [index, make] of makers.entries()) {
      record += `${literals[index]}${textOf(make())}`
    }
    return record + last
  }
}

function literalOf(text: string): string {
  const start = text.indexOf('{{')
  if (start === -1) return text
  throw new TemplateError(
    `Cannot use the template: ${text.slice(start, start + 40)} is not {{module.function}} or {{module.function(…)}}`,
  )
}

function makerOf(
  placeholder: string,
  functions: TemplateFunctions,
  name: string,
  parameters: string | undefined,
): () => unknown {
  const prepare = functions.find(name)
  if (prepare === undefined) throw new UnknownFunction(name)
  try {
    const make = prepare(...parametersOf(parameters))
    make()
    return make
  } catch (error) {
    if (!(error instanceof Error)) throw error
    throw new TemplateError(`Cannot use ${placeholder}: ${error.message}`, { cause: error })
  }
}

function parametersOf(text = ''): Json[] {
  if (text.trim() === '') return []
  try {
    return JSON.parse(`[${text}]`) as Json[]
  } catch {
    return [text]
  }
}

/** As JavaScript writes it, also dates and lists; but of an object that would say nothing. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  const isPlain = typeof value === 'object' && value !== null && !('toJSON' in value)
  return isPlain && !Array.isArray(value) ? JSON.stringify(value) : String(value)
}
