/** Looks into a data directory and changes nothing, also while the service runs on it. */
import { basename, dirname } from 'node:path'
import type { Logger } from '../base/logger.ts'
import type { SealedBatch } from '../batch.ts'
import type { ChunkOrigin, PartitionPosition } from '../chunk-origin.ts'
import type { BatchHeader } from './batch-file.ts'
import { BatchPaths, isPositionsName, parseFileName } from './batch-paths.ts'
import type { BatchName } from './batch-paths.ts'
import { frameDataBytes, readBatchHeader, scanFrames } from './batch-scan.ts'
import type { Frame } from './batch-scan.ts'
import { withFile, withFileIfThere } from './file-operations.ts'
import type { FileSystem, OpenFile } from './file-system.ts'
import { isStagedWhole, showStaged } from './inspect-staged.ts'
import type { StagedPart } from './inspect-staged.ts'
import { readManifest } from './manifest-file.ts'
import { readPositions } from './position-log.ts'
import { footerBytes, readFooter } from './recovery.ts'
import { findFiles, streamsWithPositions } from './start-up.ts'

/** What is wrong with a file, or noteworthy. */
export interface Finding {
  readonly kind:
    /** Bytes that are no valid chunk: records are lost. */
    | 'damaged-chunk'
    /** The last bytes of a batch that is open, or was when its process died; not acknowledged. */
    | 'torn-tail'
    /** Counts are rebuilt from the chunks at the next start. */
    | 'damaged-footer'
    /** Harmless for a plain batch; an encrypted one can't be read any more. */
    | 'damaged-header'
    /** The footer counts more records than the chunks hold. */
    | 'missing-records'
    | 'damaged-manifest'
    /** What processors made of a batch can't be read back. */
    | 'damaged-staging'
    /** How far a partition of a source was read is lost: what follows may be taken over twice. */
    | 'damaged-positions'
    /** Unfinished, or belongs to no batch; removed at the next start. */
    | 'left-over'
  readonly path: string
  readonly offset?: number
  readonly sizeBytes?: number
  readonly recordCount?: number
}

export interface DataReport {
  readonly openBatchCount: number
  readonly sealedBatchCount: number
  readonly manifestCount: number
  /** Batches that processors are done with. */
  readonly stagedCount: number
  readonly stagedBytes: number
  /** What is known of partitions and requests, but for what batches hold that are not sealed. */
  readonly positionCount: number
  /** Of chunks that are valid. */
  readonly recordCount: number
  readonly dataBytes: number
  /** Files in quarantine. */
  readonly quarantinedCount: number
  readonly findings: readonly Finding[]
}

/**
 * Verifies every chunk, footer, manifest and staged block. Memory grows with what is wrong, not with what is there.
 * Files that are not ours are logged.
 */
export async function checkData(
  dataDirectory: string,
  fileSystem: FileSystem,
  logger: Logger,
): Promise<DataReport> {
  const paths = new BatchPaths(dataDirectory)
  const quarantined = await fileSystem.list(paths.quarantine)
  const counts = {
    open: 0,
    import: 0,
    batch: 0,
    manifest: 0,
    temporary: 0,
    staging: 0,
    staged: 0,
    stagedBytes: 0,
    recordCount: 0,
    dataBytes: 0,
  }
  const findings: Finding[] = []
  for await (const { name, kind, leftOver } of findFiles({
    fileSystem,
    paths,
    logger,
  })) {
    const path = paths.file(name, kind)
    counts[kind] += 1
    if (leftOver) {
      findings.push({ kind: 'left-over', path })
    } else if (kind === 'manifest') {
      const isWhole = await readManifest(fileSystem, path, name.batchId).then(
        () => true,
        () => false,
      )
      if (!isWhole) findings.push({ kind: 'damaged-manifest', path })
    } else if (kind === 'staged') {
      const found = await withFileIfThere(fileSystem, path, async (file) => ({
        sizeBytes: await file.sizeBytes(),
        isWhole: await isStagedWhole(file, name),
      }))
      counts.stagedBytes += found?.sizeBytes ?? 0
      if (found?.isWhole === false) findings.push({ kind: 'damaged-staging', path })
    } else {
      const found = await withFileIfThere(fileSystem, path, (file) => checkBatch(file, name, path))
      // Delivered meanwhile.
      if (found === undefined) continue
      counts.recordCount += found.recordCount
      counts.dataBytes += found.dataBytes
      findings.push(...found.findings)
    }
  }
  let positionCount = 0
  for (const streamId of await streamsWithPositions({ fileSystem, paths })) {
    const found = await checkPositions(paths.positions(streamId), streamId, fileSystem)
    positionCount += found.positionCount
    findings.push(...found.findings)
  }
  return {
    openBatchCount: counts.open,
    sealedBatchCount: counts.batch,
    manifestCount: counts.manifest,
    stagedCount: counts.staged,
    stagedBytes: counts.stagedBytes,
    positionCount,
    recordCount: counts.recordCount,
    dataBytes: counts.dataBytes,
    quarantinedCount: quarantined.length,
    findings,
  }
}

async function checkBatch(file: OpenFile, name: BatchName, path: string) {
  const isSealed = path.endsWith('.batch')
  const damages: ReturnType<typeof damageOf>[] = []
  let recordCount = 0
  let dataBytes = 0
  /** All before it was synced. */
  let lastGroupOffset = 0
  const sizeBytes = await file.sizeBytes()
  for await (const frame of scanFrames(file, name.batchId, sizeBytes - footerBytes(isSealed))) {
    if (frame.kind === 'chunk') {
      recordCount += frame.header.recordCount
      dataBytes += frameDataBytes(frame)
      lastGroupOffset = Math.max(lastGroupOffset, frame.header.groupOffset)
    } else if (frame.kind === 'damaged') damages.push(damageOf(frame, path))
  }
  // As recovery judges it (recovery.ts).
  const durableEnd = isSealed ? Infinity : lastGroupOffset
  const findings = damages.map((damage): Finding =>
    damage.offset < durableEnd ? damage : { ...damage, kind: 'torn-tail' },
  )
  const header = await readBatchHeader(file, name.batchId)
  if (header === undefined) findings.push({ kind: 'damaged-header', path })
  const footer = isSealed ? await readFooter(file, name) : undefined
  if (isSealed && footer === undefined) findings.push({ kind: 'damaged-footer', path })
  const missing = (footer?.recordCount ?? recordCount) - recordCount
  if (missing > 0) findings.push({ kind: 'missing-records', path, recordCount: missing })
  return { recordCount, dataBytes, findings }
}

async function checkPositions(path: string, streamId: string, fileSystem: FileSystem) {
  const read = await withFileIfThere(fileSystem, path, (file) => readPositions(file, streamId))
  const { positions = [], damaged = [], torn = [] } = read ?? {}
  const findings = [
    ...damaged.map((range) => ({ kind: 'damaged-positions' as const, range })),
    ...torn.map((range) => ({ kind: 'torn-tail' as const, range })),
  ].map(({ kind, range: { offset, endOffset } }): Finding => ({
    kind,
    path,
    offset,
    sizeBytes: endOffset - offset,
  }))
  const positionCount = new Set(positions.map(({ partition }) => partition)).size
  return { positionCount, findings }
}

function damageOf({ offset, endOffset, header }: Frame & { kind: 'damaged' }, path: string) {
  const finding = { kind: 'damaged-chunk', path, offset, sizeBytes: endOffset - offset } as const
  return header === undefined ? finding : { ...finding, recordCount: header.recordCount }
}

/** A line of `showBatch` for a batch file. */
export type BatchPart =
  | { readonly part: 'header'; readonly header: BatchHeader | undefined }
  | {
      readonly part: 'chunk'
      readonly state: 'plain' | 'encrypted' | 'damaged' | 'void'
      readonly offset: number
      readonly sizeBytes: number
      /** Absent where the chunk's header is damaged, and for a void. */
      readonly firstOrdinal?: number
      readonly recordCount?: number
      readonly arrivalMs?: number
      /** Absent where anything of the chunk is damaged. */
      readonly dataBytes?: number
      readonly metadataBytes?: number
      /** Present where the chunk comes from a source. */
      readonly origin?: ChunkOrigin
    }
  | { readonly part: 'position'; readonly position: PartitionPosition }
  /** Lines of positions that can't be read. */
  | { readonly part: 'damage'; readonly offset: number; readonly sizeBytes: number }
  | { readonly part: 'footer'; readonly footer: SealedBatch | undefined }

/**
 * What is in a batch file, a staged file or a file of positions, in the order in which it is there.
 * @throws when the file's name isn't one of these, or a staged file is damaged in more than blocks
 */
export async function* showBatch(
  path: string,
  fileSystem: FileSystem,
): AsyncGenerator<BatchPart | StagedPart> {
  const parsed = parseFileName(basename(path))
  if (isPositionsName(basename(path))) {
    yield* showPositions(path, fileSystem)
    return
  }
  if (parsed?.kind !== 'open' && parsed?.kind !== 'batch' && parsed?.kind !== 'staged') {
    throw new Error(
      `Cannot show ${path}: it is not named <batch id>.batch, .open or .staged, or positions`,
    )
  }
  const isSealed = parsed.kind === 'batch'
  const name = { streamId: basename(dirname(path)), batchId: parsed.batchId }
  const file = await fileSystem.open(path, 'read')
  try {
    if (parsed.kind === 'staged') {
      yield* showStaged(file, name)
      return
    }
    yield { part: 'header', header: await readBatchHeader(file, name.batchId) }
    const sizeBytes = await file.sizeBytes()
    for await (const frame of scanFrames(file, name.batchId, sizeBytes - footerBytes(isSealed))) {
      yield partOf(frame)
    }
    if (isSealed) yield { part: 'footer', footer: await readFooter(file, name) }
  } finally {
    await file.close()
  }
}

async function* showPositions(path: string, fileSystem: FileSystem): AsyncGenerator<BatchPart> {
  const streamId = basename(dirname(path))
  const opening = fileSystem.open(path, 'read')
  const read = await withFile(opening, (file) => readPositions(file, streamId))
  for (const position of read.positions) yield { part: 'position', position }
  for (const { offset, endOffset } of [...read.damaged, ...read.torn]) {
    yield { part: 'damage', offset, sizeBytes: endOffset - offset }
  }
}

function partOf(frame: Frame): BatchPart {
  const { kind, offset, endOffset } = frame
  const place = { part: 'chunk', offset, sizeBytes: endOffset - offset } as const
  if (kind === 'void') return { ...place, state: 'void' }
  const { header } = frame
  const state = kind === 'damaged' ? 'damaged' : frame.header.kind
  if (header === undefined) return { ...place, state }
  const { firstOrdinal, recordCount, arrivalMs } = header
  const chunk = { ...place, state, firstOrdinal, recordCount, arrivalMs } as const
  return kind === 'chunk' ? { ...chunk, dataBytes: frameDataBytes(frame), ...frame.note } : chunk
}
