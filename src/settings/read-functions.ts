/** The `functions` setting: what answers to the ARNs of Lambda functions. */
import { isJsonObject } from '../base/json.ts'
import { SettingsError } from './sources.ts'

const LAMBDA_ARN = /^arn:aws[a-z-]*:lambda:[a-z0-9-]*:\d{0,12}:function:[\w-]{1,64}(:[\w$-]+)?$/
const NAME = /^[\w-]{1,64}$/
const MODULE = /\.(ts|mts|js|mjs)$/

/**
 * @param place what to blame, e.g. `functions in standpipe.yaml`
 * @throws SettingsError
 */
export function readFunctions(value: unknown, place: string): Readonly<Record<string, string>> {
  if (!isJsonObject(value)) {
    throw new SettingsError(
      `Cannot use ${place}: must be an object from ARN or function name to module, URL or lambda`,
    )
  }
  for (const [name, answerer] of Object.entries(value)) {
    const subject = `Cannot use ${place}: ${JSON.stringify(name)}`
    if (!NAME.test(name) && !LAMBDA_ARN.test(name)) {
      throw new SettingsError(`${subject} is neither the ARN nor the name of a Lambda function`)
    }
    if (typeof answerer === 'string' && isAnswerer(answerer)) continue
    throw new SettingsError(
      `${subject} must be a module (.ts, .mts, .js or .mjs), an http: or https: URL without a user, ` +
        'lambda, or the ARN of another function',
    )
  }
  return value as Readonly<Record<string, string>>
}

function isAnswerer(text: string): boolean {
  if (text === 'lambda' || LAMBDA_ARN.test(text)) return true
  if (!/^[a-z][a-z+.-]+:/i.test(text)) return MODULE.test(text)
  const url = URL.parse(text)
  return /^https?:$/.test(url?.protocol ?? '') && url?.username === '' && url.password === ''
}
