/** A record is in the error output for a reason that its destination gave, and in AWS's form. */
import type { Evidence } from './oracle.ts'
import type { Places } from './places.ts'
import { isPoison } from './simulated-index.ts'

export function* errorViolations({ refusals }: Evidence, { errored }: Places): Generator<string> {
  for (const { text, name, line } of errored) {
    const { errorCode, attemptsMade, target } = line
    if (refusals.get(text)?.has(errorCode) !== true)
      yield `${text} is in ${name} for ${errorCode}, which nobody said of it`
    if (!(attemptsMade >= 1)) yield `${text} is in ${name} after ${attemptsMade} attempts`
    const { index = '' } = target as { readonly index?: string }
    if (errorCode === '400' && !isPoison(index, text))
      yield `${text} is in ${name} as poison, which it is not in ${index}`
  }
}
