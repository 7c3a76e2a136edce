/**
 * The words of CopyOptions. Only words, numbers, names in double quotes, string literals and the marks
 * `( ) , =` exist, so that a text that was read can't hold a second statement or a comment.
 *
 * Redshift lets a backslash escape a quote within a literal and Postgres does not; a literal in which
 * a backslash stands before a quote would end in different places, and is refused.
 */
import { ConfigurationError } from '../../src/destination.ts'

export type Token =
  | { readonly kind: 'word' | 'mark' | 'number' | 'name'; readonly text: string }
  | { readonly kind: 'literal'; readonly text: string }

const TOKEN =
  /\s*(?:'((?:[^'\\]|''|\\[^'])*)'|"((?:[^"]|"")+)"|([\p{L}_][\p{L}\p{N}_]*)|(\d+)|([(),=]))\s*/uy

/** @throws ConfigurationError */
export function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = []
  let position = 0
  while (position < text.trimEnd().length) {
    TOKEN.lastIndex = position
    const match = TOKEN.exec(text)
    if (match === null) {
      throw new ConfigurationError(`CopyOptions cannot be read from '${text.slice(position)}' on`)
    }
    tokens.push(tokenOf(match))
    position = TOKEN.lastIndex
  }
  return tokens
}

function tokenOf([, literal, name, word, number, mark]: RegExpExecArray): Token {
  if (literal !== undefined) return { kind: 'literal', text: literal.replaceAll("''", "'") }
  if (name !== undefined) return { kind: 'name', text: name.replaceAll('""', '"') }
  if (word !== undefined) return { kind: 'word', text: word }
  if (number !== undefined) return { kind: 'number', text: number }
  return { kind: 'mark', text: mark ?? '' }
}

/** Walks along the words of one text. */
export class TokenReader {
  readonly #tokens: readonly Token[]
  #position = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  get isAtEnd(): boolean {
    return this.#position === this.#tokens.length
  }

  /** Takes the next word if it is this one. */
  takeWord(word: string): boolean {
    const token = this.#tokens[this.#position]
    const found = token?.kind === 'word' && token.text.toUpperCase() === word
    if (found) this.#position += 1
    return found
  }

  /** The next word in upper case: an option's name, or what it is set to. */
  word(): string {
    return this.#take('word', 'an option').toUpperCase()
  }

  /** A literal, with AS or without. */
  literal(option: string): string {
    this.takeWord('AS')
    return this.#take('literal', `a text in quotes after ${option}`)
  }

  number(option: string): number {
    this.takeWord('AS')
    return Number(this.#take('number', `a number after ${option}`))
  }

  /** `(name, name)`, folded as SQL folds names. */
  names(option: string): readonly string[] {
    const names: string[] = []
    const expected = `names in parentheses after ${option}`
    let mark = this.#mark('(', expected)
    while (mark !== ')') {
      const token = this.#tokens[this.#position]
      const name = this.#take(token?.kind === 'name' ? 'name' : 'word', expected)
      names.push(token?.kind === 'name' ? name : name.toLowerCase())
      mark = this.#mark(',)', expected)
    }
    return names
  }

  #mark(marks: string, expected: string): string {
    const text = this.#take('mark', expected)
    if (marks.includes(text)) return text
    throw new ConfigurationError(`CopyOptions must have ${expected}, not '${text}'`)
  }

  #take(kind: Token['kind'], expected: string): string {
    const token = this.#tokens[this.#position]
    if (token?.kind !== kind) {
      throw new ConfigurationError(
        `CopyOptions must have ${expected}, not ${token === undefined ? 'their end' : `'${token.text}'`}`,
      )
    }
    this.#position += 1
    return token.text
  }
}
