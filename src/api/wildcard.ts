import { PolicyError } from './policy-error.ts'

export type WildcardTest = (text: string) => boolean

/**
 * IAM's patterns: `*` is any run of characters, `?` any one; the whole text must match.
 * @throws PolicyError for policy variables, which aren't filled in here
 */
export function compileWildcard(pattern: string, { ignoreCase = false } = {}): WildcardTest {
  if (pattern.includes('${')) {
    throw new PolicyError(`Cannot use the pattern ${pattern}: policy variables are not supported`)
  }
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll(/\*+/g, '.*')
    .replaceAll('?', '.')
  const expression = new RegExp(`^${source}$`, ignoreCase ? 'is' : 's')
  return (text) => expression.test(text)
}
