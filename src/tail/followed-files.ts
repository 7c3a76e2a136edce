/**
 * The files that are followed, in the order in which they are read: within a series (a file and what
 * rotation made of it) the older first. They are looked over again and again:
 *
 * - a file that no followed one is, is adopted: at its position if it has one, else at its start, else
 *   (its pattern is new, so nobody has missed anything) where the options say;
 * - one that is renamed stays the same, and goes on to be read though no pattern finds it any more,
 *   until it has been away and quiet for a while;
 * - one that is truncated is over, and what is in it now is adopted anew, after the copy that rotation
 *   has made of it before (`app.log.1` beside `app.log`): the copy goes on where the file was, so that
 *   what was truncated unread is not lost and what was read is not sent again. As long as the file is
 *   not truncated its copy is left alone.
 */
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { fileKey } from './file-identity.ts'
import type { FilePosition } from './file-identity.ts'
import { findEarlier, isCopyName } from './earlier-files.ts'
import type { Gone } from './earlier-files.ts'
import { findFiles, seriesOf } from './file-search.ts'
import type { FoundFile } from './file-search.ts'
import { FollowedFile, endOffset, openFile } from './followed-file.ts'
import type { OpenedFile } from './followed-file.ts'
import type { Positions } from './position-file.ts'
import type { CuttingOptions } from './record-cutter.ts'

/** Each takes a descriptor. */
const FILES_MAX = 1_000
/** A writer may hold a renamed file for a while, until it is told to open the new one. */
const ABSENT_QUIET_MS = 10_000

export interface FollowingOptions {
  /** Absolute. */
  readonly patterns: readonly string[]
  readonly from: 'start' | 'end'
  readonly cutting: CuttingOptions
  readonly clock: Clock
  readonly logger: Logger
  /** Bytes that were in a file, as far as is known, and can't be read any more. */
  readonly onGap: (path: string, lostBytes: number) => void
}

interface Truncation {
  readonly file: FollowedFile
  /** How far it was seen to go. */
  readonly endOffset: number
  copy?: OpenedFile
}

export class FollowedFiles {
  readonly #options: FollowingOptions
  /** Looked for before: what is new under one of them was not there, or had another name. */
  #knownPatterns: ReadonlySet<string>
  /** Of an earlier run, or of a handle that broke; taken up by the next look. */
  #earlier: readonly FilePosition[]
  #files: FollowedFile[] = []
  /** Their copies, if there are any, are found by the next look. */
  #truncated: Truncation[] = []
  /** Which file it is a copy of, for files that are not followed for that reason. */
  readonly #copies = new Map<string, FollowedFile>()
  /** Files that can't be opened, and why, so that it is told once. */
  readonly #unreadable = new Map<string, string>()
  #isFull = false

  constructor(options: FollowingOptions, earlier: Positions | undefined) {
    this.#options = options
    this.#knownPatterns = new Set(earlier?.patterns)
    this.#earlier = earlier?.files ?? []
  }

  /** In the order in which they were adopted. */
  get all(): readonly FollowedFile[] {
    return this.#files
  }

  get positions(): readonly FilePosition[] {
    const continued = new Set(this.#files.map(({ original }) => original))
    const files = this.#files.filter((file) => !continued.has(file))
    return [...this.#earlier, ...files.map(({ position }) => position)]
  }

  /** Older files first. */
  get bySeries(): readonly (readonly FollowedFile[])[] {
    return [...Map.groupBy(this.#files, ({ series }) => series).values()]
  }

  /** Whether those that are followed have grown, or were truncated. */
  async refresh(): Promise<void> {
    for (const file of this.#live()) await this.#lookAt(file)
  }

  /** The next piece of a file; false when there is none. */
  async read(file: FollowedFile): Promise<boolean> {
    try {
      return await file.read()
    } catch (error) {
      this.#giveUp(file, error)
      return false
    }
  }

  /**
   * Looks for files, then refreshes: so all of a file that was renamed is known before what has its
   * name now is read.
   * @returns true when files came or went, so that the positions are others
   */
  async look(): Promise<boolean> {
    const nowMs = this.#options.clock.monotonicMs()
    // A copy is there before the truncation: the search finds the copies of these.
    const truncated = this.#truncated
    this.#truncated = []
    const found = await findFiles(this.#options.patterns, this.#options.logger)
    const hasFewer = await this.#letGo(truncated)
    await this.refresh()
    const hasEarlier = await this.#takeUpEarlier(found)
    const followed = new Map(this.#live().map((file) => [file.key, file]))
    for (const file of found) {
      const known = followed.get(fileKey(file))
      if (known !== undefined) known.path = file.path
    }
    let hasNew = false
    for (const file of found) {
      if (!followed.has(fileKey(file)) && (await this.#adopt(file, truncated))) hasNew = true
    }
    for (const truncation of truncated) this.#endTruncated(truncation)
    this.#noteAbsent(new Set(found.map(fileKey)), nowMs)
    for (const key of this.#copies.keys()) {
      if (!found.some((file) => fileKey(file) === key)) this.#copies.delete(key)
    }
    this.#knownPatterns = new Set(this.#options.patterns)
    return hasFewer || hasEarlier || hasNew
  }

  async close(): Promise<void> {
    for (const file of this.#files) await file.close()
  }

  #live(): FollowedFile[] {
    return this.#files.filter(({ isOver }) => !isOver)
  }

  async #lookAt(file: FollowedFile): Promise<void> {
    try {
      const lostBytes = await file.look(this.#options.clock.monotonicMs())
      if (lostBytes === undefined) return
      if (file.isOver) this.#truncated.push({ file, endOffset: file.readOffset + lostBytes })
      else this.#options.onGap(file.path, lostBytes)
    } catch (error) {
      this.#giveUp(file, error)
    }
  }

  /** What is in no copy is lost; of what is, nothing is taken from the file itself any more. */
  #endTruncated({ file, endOffset, copy }: Truncation): void {
    if (copy === undefined) file.end()
    const lostBytes = endOffset - Math.max(file.readOffset, copy?.sizeBytes ?? 0)
    if (lostBytes > 0) this.#options.onGap(file.path, lostBytes)
    else this.#options.logger.info({ path: file.path }, 'A file was truncated')
  }

  /** A handle of a network file system may be stale; what its name leads to is taken up again. */
  #giveUp(file: FollowedFile, error: unknown): void {
    this.#options.logger.warn({ path: file.path, error }, 'Cannot read a file any more')
    file.abandon()
    this.#earlier = [...this.#earlier, file.position]
  }

  /** Of what is over and acknowledged, nothing has to be remembered. */
  async #letGo(truncated: readonly Truncation[]): Promise<boolean> {
    const kept = new Set(truncated.map(({ file }) => file))
    const done = this.#files.filter((file) => file.isDone && !kept.has(file))
    this.#files = this.#files.filter((file) => !done.includes(file))
    for (const file of done) await file.close()
    return done.length > 0
  }

  #noteAbsent(found: ReadonlySet<string>, nowMs: number): void {
    for (const file of this.#live()) {
      if (found.has(file.key)) file.absentSinceMs = undefined
      else file.absentSinceMs ??= nowMs
      const absentMs = nowMs - (file.absentSinceMs ?? nowMs)
      const isQuiet = Math.min(absentMs, file.quietMs(nowMs)) >= ABSENT_QUIET_MS
      if (isQuiet && !file.hasMore) file.end()
    }
  }

  async #takeUpEarlier(found: readonly FoundFile[]): Promise<boolean> {
    const open = (file: FoundFile): Promise<OpenedFile | undefined> => this.#open(file)
    const earlier = await findEarlier(this.#earlier, found, open)
    const hasChanged = earlier.unreadable.length < this.#earlier.length
    this.#earlier = earlier.unreadable
    for (const gone of earlier.gone) this.#reportGone(gone)
    for (const { opened, position, offset } of earlier.resumed) {
      this.#follow(opened, seriesOf(position.path), offset)
    }
    return hasChanged
  }

  #reportGone({ position: { path, offset, sizeBytes }, copyBytes }: Gone): void {
    const lostBytes = sizeBytes - Math.max(offset, copyBytes)
    if (lostBytes > 0) this.#options.onGap(path, lostBytes)
    else if (copyBytes === 0) {
      this.#options.logger.warn(
        { path },
        'A file is gone, or truncated, since it was last looked at; what was written to it after that is not sent',
      )
    }
  }

  async #adopt(found: FoundFile, truncated: readonly Truncation[]): Promise<boolean> {
    if (!this.#mayAdopt(found)) return false
    const opened = await this.#open(found)
    if (opened === undefined) return false
    const original = this.#originalOf(opened)
    if (original !== undefined && this.#isUndecided(original)) {
      this.#copies.set(fileKey(found), original)
      await opened.handle.close()
      return false
    }
    const truncation = truncated.find(({ file }) => file === original)
    if (truncation !== undefined) truncation.copy = opened
    const offset = original?.cutOffset ?? (await this.#firstOffset(opened))
    const file = this.#follow(opened, seriesOf(found.path), Math.min(offset, opened.sizeBytes))
    file.original = original
    return true
  }

  #mayAdopt(found: FoundFile): boolean {
    const key = fileKey(found)
    const original = this.#copies.get(key)
    // What is younger comes after what may be in the copy.
    const series = seriesOf(found.path)
    const isTruncated = this.#truncated.some(
      ({ file }) => file.key === key || file.series === series,
    )
    const isAwaited = this.#earlier.some((position) => fileKey(position) === key)
    const isCopy = original !== undefined && this.#isUndecided(original)
    if (isTruncated || isAwaited || isCopy) return false
    if (this.#files.length < FILES_MAX) return true
    if (!this.#isFull) {
      this.#options.logger.warn(
        { path: found.path, FILES_MAX },
        'Too many files: what is found beyond them is followed once others are gone',
      )
    }
    this.#isFull = true
    return false
  }

  /** The followed file that it is a copy of. */
  #originalOf(opened: OpenedFile): FollowedFile | undefined {
    const { found } = opened
    const isOriginal = (file: FollowedFile): boolean =>
      isCopyName(found.path, file.path) && file.beginsAs(opened)
    return this.#copies.get(fileKey(found)) ?? this.#files.findLast(isOriginal)
  }

  /** Whether it is read itself, or may be copied still: then its copy must wait. */
  #isUndecided(file: FollowedFile): boolean {
    return !file.isOver || this.#truncated.some((truncation) => truncation.file === file)
  }

  /** Of a file whose pattern was looked for before, nothing was missed: it is new, or was renamed. */
  async #firstOffset(opened: OpenedFile): Promise<number> {
    const { from, cutting } = this.#options
    if (from === 'start' || this.#knownPatterns.has(opened.found.pattern)) return 0
    return endOffset(opened, cutting)
  }

  #follow(opened: OpenedFile, series: string, offset: number): FollowedFile {
    const { cutting, clock, logger } = this.#options
    const start = { cutting, nowMs: clock.monotonicMs() }
    const file = new FollowedFile(opened, series, offset, start)
    this.#files.push(file)
    logger.info({ path: opened.found.path, offset }, 'Following a file')
    return file
  }

  async #open(found: FoundFile): Promise<OpenedFile | undefined> {
    try {
      const opened = await openFile(found)
      this.#unreadable.delete(found.path)
      return opened
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error)
      if (code !== 'ENOENT' && this.#unreadable.get(found.path) !== code) {
        this.#options.logger.warn({ path: found.path, code }, 'Cannot read a file')
        this.#unreadable.set(found.path, code)
      }
      return undefined
    }
  }
}
