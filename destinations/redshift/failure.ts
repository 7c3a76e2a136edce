/**
 * What went wrong between us and a database, in AWS's error codes. Everything is worth another
 * attempt; what it takes an operator to mend sets the brake.
 */
import { DeliveryError } from '../../src/destination.ts'

/** What `pg` throws: a server's answer (SQLSTATE, severity) or trouble on the way there. */
export interface DatabaseFailure extends Error {
  /** SQLSTATE, or a system's code like ECONNREFUSED. */
  readonly code?: string
  /** Only a server's answer has one. */
  readonly severity?: string
  /** Where in the statement's work it happened, e.g. `COPY events, line 3, column id: "x"`. */
  readonly where?: string
}

interface Meaning {
  readonly errorCode: string
  readonly brake?: boolean
}

const CONNECTION_FAILED: Meaning = { errorCode: 'Redshift.ConnectionFailed' }
const DATA_LOAD_FAILED: Meaning = { errorCode: 'Redshift.DataLoadFailed' }

/** By SQLSTATE, else by its class. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  '0A': { errorCode: 'Redshift.IncorrectCopyOptions', brake: true },
  '08': CONNECTION_FAILED,
  '25006': { errorCode: 'Redshift.ReadOnlyCluster', brake: true },
  '28': { errorCode: 'Redshift.AuthenticationFailed', brake: true },
  '3D': { errorCode: 'Redshift.DatabaseNotFound', brake: true },
  '3F': { errorCode: 'Redshift.TableNotFound', brake: true },
  '42': { errorCode: 'Redshift.SyntaxError', brake: true },
  '42501': { errorCode: 'Redshift.InsufficientPrivilege', brake: true },
  '42703': { errorCode: 'Redshift.ColumnNotFound', brake: true },
  '42P01': { errorCode: 'Redshift.TableNotFound', brake: true },
  // No unique index over the columns of UPSERT.
  '42P10': { errorCode: 'Redshift.IncorrectCopyOptions', brake: true },
  '53100': { errorCode: 'Redshift.DiskFull' },
  '53300': CONNECTION_FAILED,
  '57P': CONNECTION_FAILED,
}

/** Redshift has one SQLSTATE for most of what its COPY refuses. */
const REDSHIFT_MEANINGS: readonly (readonly [words: RegExp, meaning: Meaning])[] = [
  [/S3ServiceException:.*(?:Access ?Denied|Forbidden)/i, brakeOf('S3BucketAccessDenied')],
  [/not authorized to (?:assume|get credentials)/i, brakeOf('AccessDenied')],
  [/(?:manifest|prefix|mandatory).*(?:not exist|not found)|NoSuchKey/i, brakeOf('MissingS3File')],
  [
    /PermanentRedirect|must be addressed using the specified endpoint/i,
    brakeOf('IncorrectOrMissingRegion'),
  ],
  [/json ?paths?/i, brakeOf('IncorrectJsonPathsFile')],
  [/nonexistent table/i, brakeOf('TableNotFound')],
  [/read-?only/i, brakeOf('ReadOnlyCluster')],
  [/disk full/i, { errorCode: 'Redshift.DiskFull' }],
]

function brakeOf(name: string): Meaning {
  return { errorCode: `Redshift.${name}`, brake: true }
}

function isAnswer(error: unknown): boolean {
  return (error as DatabaseFailure).severity !== undefined
}

/**
 * Whether the server said that it does not commit. Severities are told in the server's language, so
 * that only the code says so for certain; a session that is ended may have been committed before.
 */
export function isRolledBack(error: unknown): boolean {
  const { code = '' } = error as DatabaseFailure
  return isAnswer(error) && ['22', '23', '25', '40', '42', '44', 'P0'].includes(code.slice(0, 2))
}

/** Whether the server refused rows for what is in them: bad values, broken constraints, a trigger. */
export function isAboutRows(error: unknown): boolean {
  const { code = '' } = error as DatabaseFailure
  return isAnswer(error) && ['22', '23', '44', '54', 'P0'].includes(code.slice(0, 2))
}

/** @param act e.g. `copy into events` */
export function databaseFailure(
  act: string,
  error: unknown,
  effect: 'none' | 'unknown',
): DeliveryError {
  if (error instanceof DeliveryError) return error
  const { errorCode, brake = false } = meaningOf(error as DatabaseFailure)
  const cause = error instanceof Error ? error.message || (error as DatabaseFailure).code : error
  return new DeliveryError(errorCode, `Cannot ${act}: ${String(cause)}`, {
    retryable: true,
    effect,
    brake,
    cause: error,
  })
}

function meaningOf(error: DatabaseFailure): Meaning {
  if (!isAnswer(error)) return CONNECTION_FAILED
  const { code = '', message } = error
  const known = MEANINGS[code] ?? MEANINGS[code.slice(0, 3)] ?? MEANINGS[code.slice(0, 2)]
  if (known !== undefined) return known
  return REDSHIFT_MEANINGS.find(([words]) => words.test(message))?.[1] ?? DATA_LOAD_FAILED
}
