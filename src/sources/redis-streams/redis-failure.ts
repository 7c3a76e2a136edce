/** What Redis answers, and how connections break, in the words of a source's errors. */
import { isOutOfMemory, isPassing } from '../../redis/insist.ts'
import { SourceError } from '../../source.ts'

/** The key, or the group, was removed under its reader. */
export class GroupGone extends Error {
  override readonly name = 'GroupGone'
}

/** What concerns all keys of a source: there is no use in reading another. */
const CODES_OF_ALL = new Set(['Redis.ConnectionFailed', 'Redis.AccessDenied', 'Redis.Unavailable'])

/** @param connectionError what was last heard of a connection that could not be had */
export function failureOf(error: unknown, key: string, connectionError?: Error): Error {
  const { message, name } = error as Error
  // Redis 7.0 tells a reader that waits in other words.
  if (/^(?:NOGROUP|UNBLOCKED)\b/.test(message)) {
    return new GroupGone(`Cannot read ${key}: ${message}`, { cause: error })
  }
  const isReply = name === 'ReplyError'
  const said = isReply ? message : (connectionError?.message ?? message)
  const options = { cause: error }
  return new SourceError(codeOf(error as Error, said), `Cannot read ${key}: ${said}`, options)
}

function codeOf(error: Error, message: string): string {
  if (/^(?:NOAUTH|WRONGPASS)\b/.test(message)) return 'Redis.AccessDenied'
  if (error.name !== 'ReplyError') return 'Redis.ConnectionFailed'
  if (/^NOPERM\b/.test(message)) return 'Redis.NotPermitted'
  if (/^WRONGTYPE\b/.test(message)) return 'Redis.WrongType'
  if (isOutOfMemory(error)) return 'Redis.OutOfMemory'
  return isPassing(error) ? 'Redis.Unavailable' : 'Redis.CommandFailed'
}

export function concernsAll({ errorCode }: SourceError): boolean {
  return CODES_OF_ALL.has(errorCode)
}
