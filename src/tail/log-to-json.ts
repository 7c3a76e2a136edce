/**
 * The agent's LOGTOJSON: its four formats with the field names it gives them. Every value is text;
 * a part that is missing is null, and so is `-` in Apache's formats. The patterns ask for the shape of
 * a line, not for valid hosts and dates.
 */
import { jsonLine, textOf } from './json-line.ts'

export interface LogPattern {
  /** Matches a whole record; one group for each name. */
  readonly pattern: RegExp
  readonly fieldNames: readonly string[]
  /** What stands for nothing. */
  readonly absent: string | undefined
}

const QUOTED = String.raw`"((?:[^"\\]|\\.)*)"`
const COMMON = String.raw`(\S+) (\S+) (\S+) \[([^\]]+)\] ${QUOTED} (\d+|-) (\d+|-)`
const COMMON_FIELDS = ['host', 'ident', 'authuser', 'datetime', 'request', 'response', 'bytes']

const FORMATS: ReadonlyMap<string, LogPattern> = new Map([
  ['COMMONAPACHELOG', apache(`${COMMON}(?: .*)?`, COMMON_FIELDS)],
  [
    'COMBINEDAPACHELOG',
    apache(`${COMMON} ${QUOTED} ${QUOTED}.*`, [...COMMON_FIELDS, 'referer', 'agent']),
  ],
  [
    'APACHEERRORLOG',
    apache(
      String.raw`\[([^\]]+)\] \[(?:(\w+):)?(\w+)\] \[pid (\d+)(?::tid (\d+))?\] \[client ([^\]]+)\] (.*)`,
      ['timestamp', 'module', 'severity', 'processid', 'threadid', 'client', 'message'],
    ),
  ],
  [
    'SYSLOG',
    {
      pattern: whole(
        String.raw`([A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d(?:\.\d+)?) (?:<\d+\.\d+> )?(\S+) ([^\s:[]+)(?:\[(\d+)\])?: (.*)`,
      ),
      fieldNames: ['timestamp', 'hostname', 'program', 'processid', 'message'],
      absent: undefined,
    },
  ],
])

export const LOG_FORMATS = [...FORMATS.keys()]

/**
 * @param fieldNames instead of the format's own; needed with a match pattern
 * @throws Error when they don't fit together; SyntaxError when the match pattern is none
 */
export function logPattern(
  format: string,
  matchPattern: string | undefined,
  fieldNames: readonly string[] | undefined,
): LogPattern {
  const known = FORMATS.get(format)
  if (known === undefined) throw new Error(`the format is one of ${LOG_FORMATS.join(', ')}`)
  if (matchPattern !== undefined && fieldNames === undefined) {
    throw new Error('a match pattern needs field names')
  }
  const pattern = matchPattern === undefined ? known.pattern : whole(matchPattern)
  const names = fieldNames ?? known.fieldNames
  const groupCount = groupCountOf(pattern)
  if (names.length !== groupCount) {
    throw new Error(`${names.length} field names are given for ${groupCount} groups`)
  }
  return { pattern, fieldNames: names, absent: known.absent }
}

/** Undefined when the record does not match. */
export function logToJson(
  record: Buffer,
  { pattern, fieldNames, absent }: LogPattern,
): Buffer | undefined {
  const [, ...groups] = pattern.exec(textOf(record)) ?? []
  if (groups.length === 0) return undefined
  const values = groups.map((value: string | undefined) =>
    value === undefined || value === absent ? null : value,
  )
  return jsonLine(fieldNames, values)
}

function apache(source: string, fieldNames: readonly string[]): LogPattern {
  return { pattern: whole(source), fieldNames, absent: '-' }
}

function whole(source: string): RegExp {
  return new RegExp(`^(?:${source})$`)
}

function groupCountOf({ source }: RegExp): number {
  // With an empty alternative it matches anything, and still tells of its groups.
  return (new RegExp(`${source}|`).exec('')?.length ?? 1) - 1
}
