/**
 * Reads the columns of a Hive or Athena `CREATE TABLE` text:
 *
 *   CREATE [TEMPORARY] [EXTERNAL] TABLE [IF NOT EXISTS] [database.]table (
 *     column type [COMMENT 'text'], …
 *   ) anything
 *
 * What follows the columns says how and where a table is stored, which is not ours to know; columns
 * that it is partitioned by are no columns of its files. Types are not looked at: who uses them does.
 */
import { ConfigurationError } from '../destination.ts'
import type { TableColumn } from '../table-schema.ts'

/** Quoted names, strings, comments, words, and signs. */
const TOKEN =
  /`(?:[^`]|``)*`|'(?:[^'\\]|\\[^]|'')*'|"(?:[^"\\]|\\[^]|"")*"|--.*|\/\*[^]*?\*\/|[^\s`'"(),<>:;]+|\S/g
const COMMENT = /^(?:--|\/\*)/
const STRING = /^['"]/
const PLAIN_NAME = /^[\p{L}\p{N}_$@.-]+$/u
const OPENING = ['(', '<']
const CLOSING = [')', '>']

/** @throws ConfigurationError */
export function columnsOfCreateTable(text: string): readonly TableColumn[] {
  const tokens = (text.match(TOKEN) ?? []).filter((token) => !COMMENT.test(token))
  const start = tokens.indexOf('(')
  if (
    start === -1 ||
    !/^create (?:temporary )?(?:external )?table /i.test(`${tokens.join(' ')} `)
  ) {
    throw refusal('it must begin with CREATE TABLE and name its columns in brackets')
  }
  return [...definitions(tokens.slice(start + 1))].map(columnOf)
}

/** The tokens of each column, up to the bracket that closes the list. */
function* definitions(tokens: readonly string[]): Generator<readonly string[]> {
  let definition: string[] = []
  let depth = 0
  for (const token of tokens) {
    if (OPENING.includes(token)) depth += 1
    else if (CLOSING.includes(token)) depth -= 1
    if (depth < 0) {
      yield definition
      return
    }
    if (depth === 0 && token === ',') {
      yield definition
      definition = []
    } else definition.push(token)
  }
  throw refusal('the list of its columns does not end')
}

function columnOf([name = '', ...rest]: readonly string[]): TableColumn {
  const isQuoted = name.startsWith('`')
  if (!isQuoted && !PLAIN_NAME.test(name)) throw refusal(`'${name}' is no name of a column`)
  const type = rest.filter((token, index) => {
    const isWord = token.toLowerCase() === 'comment' && STRING.test(rest[index + 1] ?? '')
    const isText = STRING.test(token) && rest[index - 1]?.toLowerCase() === 'comment'
    return !isWord && !isText
  })
  const column = isQuoted ? name.slice(1, -1).replaceAll('``', '`') : name
  if (type.length === 0 || type.some((token) => STRING.test(token))) {
    throw refusal(`the column ${column} must have a type and nothing else but a COMMENT`)
  }
  return { name: column.toLowerCase(), type: typeText(type) }
}

/** As Glue writes it. Two words side by side stay two, for whoever reads the type to refuse. */
function typeText(tokens: readonly string[]): string {
  return tokens.join(' ').replaceAll(/ ?([(),<>:]) ?/g, '$1')
}

function refusal(reason: string): ConfigurationError {
  return new ConfigurationError(`Cannot read CREATE TABLE: ${reason}`)
}
