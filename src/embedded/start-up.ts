/**
 * What is found in a data directory at start-up, and put in order: batches that a dead process left
 * open are sealed, damaged footers rebuilt, leftovers removed. Streams the directory; memory does
 * not depend on the backlog, but for the names of one stream's files.
 */
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { SealedBatch } from '../batch.ts'
import { isPositionsName, isStreamId, parseFileName } from './batch-paths.ts'
import type { BatchFileKind, BatchName, BatchPaths } from './batch-paths.ts'
import { unlinkIfThere, withFile } from './file-operations.ts'
import { errorCode } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import type { Quarantine } from './quarantine.ts'
import { readFooter, rebuildFooter } from './recovery.ts'
import type { PositionKeeper } from './stream-positions.ts'

/** Files in work at the same time; the thread pool has four threads. */
const CONCURRENCY = 8
/** Worth nothing once their writer is dead. */
const UNFINISHED: ReadonlySet<BatchFileKind> = new Set(['import', 'temporary', 'staging'])
/** Worth nothing without their batch. */
const COMPANIONS: ReadonlySet<BatchFileKind> = new Set(['manifest', 'staged'])
const NOT_OURS = 'A file among the batches is not one of ours.'

export interface StartUpOptions {
  readonly fileSystem: FileSystem
  readonly paths: BatchPaths
  readonly quarantine: Quarantine
  readonly positions: PositionKeeper
  readonly clock: Clock
  readonly logger: Logger
}

export interface FoundFile {
  readonly name: BatchName
  readonly kind: BatchFileKind
  /** An unfinished file of any kind, or a manifest or staged file whose batch is gone. */
  readonly leftOver: boolean
}

export interface StartUpHandlers {
  sealed(batch: SealedBatch): void
  /** A staged file that stays, of so many bytes. */
  staged(sizeBytes: number): void
  /** The disk did not let the file be recovered, now. */
  failed(file: FoundFile): void
}

/** The streams whose sources' positions are kept in a file. */
export async function streamsWithPositions({
  fileSystem,
  paths,
}: Pick<StartUpOptions, 'fileSystem' | 'paths'>): Promise<readonly string[]> {
  const found: string[] = []
  for (const streamId of await fileSystem.list(paths.batches)) {
    if (!isStreamId(streamId)) continue
    const names = await namesIn(paths.stream(streamId), fileSystem)
    if (names?.some(isPositionsName) === true) found.push(streamId)
  }
  return found
}

/** All batches' files under their directory that are ours, oldest first within a stream. */
export async function* findFiles(
  options: Pick<StartUpOptions, 'fileSystem' | 'paths' | 'logger'>,
): AsyncGenerator<FoundFile> {
  const { fileSystem, paths, logger } = options
  for (const streamId of await fileSystem.list(paths.batches)) {
    const directory = isStreamId(streamId) ? paths.stream(streamId) : undefined
    const names = directory === undefined ? undefined : await namesIn(directory, fileSystem)
    if (directory === undefined || names === undefined) {
      logger.warn({ directory: paths.batches, name: streamId }, NOT_OURS)
      continue
    }
    const files = names
      .filter((name) => !isPositionsName(name))
      .toSorted()
      .map((name) => ({ name, parsed: parseFileName(name) }))
    const batchIds = new Set(
      files.flatMap(({ parsed }) =>
        parsed?.kind === 'batch' || parsed?.kind === 'open' ? [parsed.batchId] : [],
      ),
    )
    for (const { name, parsed } of files) {
      if (parsed === undefined) {
        logger.warn({ directory, name }, NOT_OURS)
        continue
      }
      const { batchId, kind } = parsed
      const leftOver = UNFINISHED.has(kind) || (COMPANIONS.has(kind) && !batchIds.has(batchId))
      yield { name: { streamId, batchId }, kind, leftOver }
    }
  }
}

/** Undefined when it is no directory. */
async function namesIn(path: string, fileSystem: FileSystem): Promise<string[] | undefined> {
  return fileSystem.list(path).catch((error: unknown) => {
    if (errorCode(error) === 'ENOTDIR') return undefined
    throw error
  })
}

export async function startUp(options: StartUpOptions, handlers: StartUpHandlers): Promise<void> {
  const files = findFiles(options)
  const work = async (): Promise<void> => {
    for await (const file of files) await putInOrder(file, options, handlers)
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work))
}

/** Recovers a batch, removes what is left over, counts what is staged. A file that is gone meanwhile is no failure. */
export async function putInOrder(
  file: FoundFile,
  options: StartUpOptions,
  handlers: StartUpHandlers,
): Promise<void> {
  const { fileSystem, paths, logger } = options
  const { name, kind, leftOver } = file
  try {
    if (leftOver) await unlinkIfThere(fileSystem, paths.file(name, kind))
    if (kind === 'staged' && !leftOver) {
      const opening = fileSystem.open(paths.file(name, kind), 'read')
      handlers.staged(await withFile(opening, (opened) => opened.sizeBytes()))
    }
    if (kind !== 'open' && kind !== 'batch') return
    const batch = await recoverBatch(name, kind, options)
    if (batch !== undefined) handlers.sealed(batch)
  } catch (error) {
    if (errorCode(error) === 'ENOENT' && kind === 'open') {
      // An attempt before this one came as far as the rename.
      await putInOrder({ ...file, kind: 'batch' }, options, handlers)
    } else if (errorCode(error) !== 'ENOENT') {
      if (kind !== 'open' && kind !== 'batch') {
        logger.warn({ ...name, kind, error }, 'A file beside a batch could not be put in order.')
        return
      }
      logger.error({ ...name, error }, 'A batch file could not be recovered; it is tried again.')
      handlers.failed(file)
    }
  }
}

/** The batch that the file holds, sealed durably; undefined when it holds none. */
async function recoverBatch(
  name: BatchName,
  kind: 'open' | 'batch',
  options: StartUpOptions,
): Promise<SealedBatch | undefined> {
  const { fileSystem, paths, quarantine, positions, clock, logger } = options
  const path = paths.file(name, kind)
  if (kind === 'batch') {
    const batch = await withFile(fileSystem.open(path, 'read'), (file) => readFooter(file, name))
    if (batch !== undefined) return batch
  }
  const rebuilt = await withFile(fileSystem.open(path, 'update'), (file) =>
    rebuildFooter({
      file,
      name,
      wasSealed: kind === 'batch',
      sealedAtMs: clock.nowMs(),
      quarantine,
    }),
  )
  if (rebuilt === undefined && kind === 'batch') await quarantine.moveFile(name.streamId, path)
  if (rebuilt === undefined && kind === 'open') {
    await fileSystem.unlink(path)
    logger.info({ ...name }, 'A batch file without an acknowledged record was removed.')
  }
  if (rebuilt !== undefined && kind === 'open') {
    if (rebuilt.positions.length > 0) await positions.of(name.streamId).enter(rebuilt.positions)
    await fileSystem.rename(path, paths.file(name, 'batch'))
  }
  await fileSystem.syncDirectory(paths.stream(name.streamId))
  if (rebuilt !== undefined) logger.info(rebuilt.batch, 'A batch was recovered.')
  return rebuilt?.batch
}
