import type { Expression, PrefixParts } from './prefix-expression.ts'

/** How the objects under a prefix are found again. */
export interface KeyPattern {
  /** What all keys begin with: the prefix up to its first expression. */
  readonly literal: string
  /** What all keys begin with, expressions and all. */
  readonly pattern: RegExp
}

/** Narrow enough to tell errors from what lies beside them when they have no prefix of their own. */
const ERROR_OUTPUT_TYPE = '(?:[A-Za-z][\\w-]*[-_]failed|activePartitionExceeded|errors)'

export function keyPattern(parts: PrefixParts): KeyPattern {
  const [first = ''] = parts
  const pattern = parts.map((part) =>
    typeof part === 'string' ? escaped(part) : expressionPattern(part),
  )
  return {
    literal: typeof first === 'string' ? first : '',
    pattern: new RegExp(`^${pattern.join('')}`, 's'),
  }
}

function expressionPattern({ value }: Expression): string {
  return value === 'error-output-type' ? ERROR_OUTPUT_TYPE : '.*?'
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&')
}
