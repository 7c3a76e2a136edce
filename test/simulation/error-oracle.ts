/** A record is in the error output for a reason that its destination gave, and in AWS's form. */
import type { Evidence } from './oracle.ts'
import type { Places } from './places.ts'
import { isPoison } from './simulated-index.ts'

export function* errorViolations({ refusals }: Evidence, { errored }: Places): Generator<string> {
  for (const { text, name, line, isOfProcessing } of errored) {
    const { errorCode, attemptsMade, target = {} } = line
    if (!(attemptsMade >= 1)) yield `${text} is in ${name} after ${attemptsMade} attempts`
    // For what processors said, see processing-oracle.ts.
    if (isOfProcessing) continue
    if (refusals.get(text)?.has(errorCode) !== true)
      yield `${text} is in ${name} for ${errorCode}, which nobody said of it`
    const { index = '' } = target as { readonly index?: string }
    if (errorCode === '400' && !isPoison(index, text))
      yield `${text} is in ${name} as poison, which it is not in ${index}`
  }
}
