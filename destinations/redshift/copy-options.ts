/**
 * CopyOptions on a Postgres that is not Redshift: the options of Redshift's COPY that say what a record
 * looks like and what its fields mean. Each other option is refused by name. UPSERT is an extension.
 */
import { ConfigurationError } from '../../src/destination.ts'
import { TokenReader, tokensOf } from './copy-syntax.ts'
import { compileDateFormat } from './date-formats.ts'
import type { DateReader } from './date-formats.ts'
import { parseJsonPaths } from './json-path.ts'
import type { JsonPath } from './json-path.ts'

export interface CopyOptions {
  readonly format: 'delimited' | 'csv' | 'json'
  /** Between two fields. */
  readonly delimiter: string
  /** Around the fields of CSV. */
  readonly quote: string
  /** In delimited text, a backslash takes away the meaning of what follows it. */
  readonly escape: boolean
  /** How the members of a JSON object find their columns. */
  readonly jsonPaths: 'auto' | 'auto ignorecase' | readonly JsonPath[]
  /** The object that holds the paths, as `s3://bucket/key`. */
  readonly jsonPathsUrl: string | undefined
  /** A field with this text is NULL. */
  readonly nullAs: string
  readonly emptyAsNull: boolean
  readonly blanksAsNull: boolean
  readonly truncateColumns: boolean
  readonly trimBlanks: boolean
  readonly fillRecord: boolean
  readonly ignoreBlankLines: boolean
  readonly readDate: DateReader | undefined
  readonly readTime: DateReader | undefined
  /** That of the staged objects. */
  readonly compression: 'GZIP' | 'ZSTD' | undefined
  /** So many refused records fail the load as a whole; absent: none do. */
  readonly maxError: number | undefined
  /** Columns of the key by which rows replace others; empty: rows are only added. */
  readonly upsertKey: readonly string[]
}

/** Of an object: bucket and key. */
export const S3_URL = /^s3:\/\/([^/]+)\/(.+)$/

type Draft = { -readonly [Member in keyof CopyOptions]: CopyOptions[Member] }

const DEFAULTS: CopyOptions = {
  format: 'delimited',
  delimiter: '|',
  quote: '"',
  escape: false,
  jsonPaths: 'auto',
  jsonPathsUrl: undefined,
  nullAs: '\\N',
  emptyAsNull: false,
  blanksAsNull: false,
  truncateColumns: false,
  trimBlanks: false,
  fillRecord: false,
  ignoreBlankLines: false,
  readDate: undefined,
  readTime: undefined,
  compression: undefined,
  maxError: undefined,
  upsertKey: [],
}

/** What follows an option's name, and what it sets. */
const OPTIONS: Readonly<Record<string, (reader: TokenReader, draft: Draft) => void>> = {
  CSV: readCsv,
  DELIMITER: (reader, draft) => {
    draft.delimiter = character('DELIMITER', reader.literal('DELIMITER'))
  },
  ESCAPE: (_reader, draft) => {
    draft.escape = true
  },
  FORMAT: (reader, draft) => {
    reader.takeWord('AS')
    const format = reader.word()
    if (format === 'CSV') readCsv(reader, draft)
    else if (format === 'JSON') readJson(reader, draft)
    else throw unsupported(format)
  },
  JSON: readJson,
  NULL: (reader, draft) => {
    draft.nullAs = reader.literal('NULL')
  },
  EMPTYASNULL: (_reader, draft) => {
    draft.emptyAsNull = true
  },
  BLANKSASNULL: (_reader, draft) => {
    draft.blanksAsNull = true
  },
  TRUNCATECOLUMNS: (_reader, draft) => {
    draft.truncateColumns = true
  },
  TRIMBLANKS: (_reader, draft) => {
    draft.trimBlanks = true
  },
  FILLRECORD: (_reader, draft) => {
    draft.fillRecord = true
  },
  IGNOREBLANKLINES: (_reader, draft) => {
    draft.ignoreBlankLines = true
  },
  DATEFORMAT: (reader, draft) => {
    draft.readDate = compileDateFormat('DATEFORMAT', reader.literal('DATEFORMAT'))
  },
  TIMEFORMAT: (reader, draft) => {
    draft.readTime = compileDateFormat('TIMEFORMAT', reader.literal('TIMEFORMAT'))
  },
  GZIP: (_reader, draft) => {
    draft.compression = 'GZIP'
  },
  ZSTD: (_reader, draft) => {
    draft.compression = 'ZSTD'
  },
  MAXERROR: (reader, draft) => {
    draft.maxError = Math.max(1, reader.number('MAXERROR'))
  },
  ENCODING: (reader) => {
    const encoding = reader.literal('ENCODING')
    if (!/^utf-?8$/i.test(encoding)) throw unsupported(`ENCODING '${encoding}'`)
  },
  // Postgres rounds always, analyses by itself and has no column encodings.
  ROUNDEC: () => {},
  STATUPDATE: onlyOff('STATUPDATE'),
  COMPUPDATE: onlyOff('COMPUPDATE'),
  IGNOREHEADER: (reader) => {
    if (reader.number('IGNOREHEADER') === 0) return
    throw new ConfigurationError(
      'The COPY option IGNOREHEADER is not supported on PostgreSQL: a batch of records has no header',
    )
  },
  UPSERT: (reader, draft) => {
    draft.upsertKey = reader.names('UPSERT')
  },
}

/** @throws ConfigurationError */
export function parseCopyOptions(text: string): CopyOptions {
  const draft: Draft = { ...DEFAULTS }
  const reader = new TokenReader(tokensOf(text))
  let delimiterGiven = false
  while (!reader.isAtEnd) {
    const name = reader.word()
    const read = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined
    if (read === undefined) throw unsupported(name)
    read(reader, draft)
    delimiterGiven ||= name === 'DELIMITER'
  }
  if (draft.format === 'csv' && !delimiterGiven) draft.delimiter = ','
  if (draft.escape && draft.format !== 'delimited') {
    throw new ConfigurationError(`The COPY option ESCAPE cannot be used with ${draft.format}`)
  }
  return draft
}

/** On Redshift the options go to the cluster as they are, if they are nothing but options. */
export function checkRedshiftOptions(text: string): void {
  const upsert = tokensOf(text).some((token) => isWord(token, 'UPSERT'))
  if (upsert) throw new ConfigurationError('The COPY option UPSERT is not supported on Redshift')
}

/** Whether the options name the compression that the staged objects have. */
export function namesCompression(text: string, compression: string): boolean {
  return tokensOf(text).some((token) => isWord(token, compression))
}

function isWord(token: { readonly kind: string; readonly text: string }, word: string): boolean {
  return token.kind === 'word' && token.text.toUpperCase() === word
}

function readCsv(reader: TokenReader, draft: Draft): void {
  draft.format = 'csv'
  if (reader.takeWord('QUOTE')) draft.quote = character('QUOTE', reader.literal('QUOTE'))
}

function readJson(reader: TokenReader, draft: Draft): void {
  draft.format = 'json'
  const mapping = reader.literal('JSON')
  const known = mapping.toLowerCase()
  if (known === 'auto' || known === 'auto ignorecase') draft.jsonPaths = known
  else if (mapping.startsWith('{')) draft.jsonPaths = parseJsonPaths(mapping)
  else if (S3_URL.test(mapping)) draft.jsonPathsUrl = mapping
  else throw unsupported(`JSON '${mapping}'`)
}

function onlyOff(option: string): (reader: TokenReader) => void {
  return (reader) => {
    const isOff = reader.takeWord('OFF') || reader.takeWord('FALSE')
    if (!isOff) throw unsupported(option)
  }
}

/** One character, which may be written as `\t` or in octal like `\036`. */
function character(option: string, text: string): string {
  const octal = /^\\([0-7]{1,3})$/.exec(text)?.[1]
  if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8))
  const plain = text === '\\t' ? '\t' : text
  if (plain.length === 1 && !/[\n\r]/.test(plain)) return plain
  throw new ConfigurationError(`The COPY option ${option} must be one character, not '${text}'`)
}

function unsupported(option: string): ConfigurationError {
  return new ConfigurationError(`The COPY option ${option} is not supported on PostgreSQL`)
}
