/**
 * A disk as a crash sees it. Every file and directory has what the running machine sees, and what a
 * loss of power is sure to leave; in between lie the changes that nobody has synced, and which of
 * them survive is for chance to say.
 *
 *   file:       bytes   ── write, truncate ─▶ unsynced changes ── datasync ─▶ durable bytes
 *   directory:  entries ── create, rename, unlink ─▶ unsynced changes ── syncDirectory ─▶ durable entries
 *
 * - Unsynced changes of a file survive one by one, in whole, in part or not at all. What was lost
 *   below the end of the file reads as zeros or as what the sector held for its former owner.
 * - Unsynced changes of a directory survive up to some point, as a journal replays them. A rename is
 *   one change.
 * - A failed datasync may have written some changes and forgotten others for good: they can still be
 *   read, no later datasync writes them, and a crash undoes them.
 */
import type { Chance } from './chance.ts'

const SECTOR_BYTES = 512

interface FileChange {
  readonly position: number
  /** Absent: the file was cut or extended to `position`. */
  readonly bytes?: Buffer
}

export class DiskFile {
  /** May be larger than the file; holds zeros beyond its end. */
  #bytes: Buffer = Buffer.alloc(0)
  #sizeBytes = 0
  #durableBytes: Buffer = Buffer.alloc(0)
  #unsynced: FileChange[] = []
  #changeCount = 0

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** How many changes there have been; a sync that begins now covers these. */
  get changeCount(): number {
    return this.#changeCount
  }

  read(buffer: Uint8Array, position: number): number {
    const end = Math.min(position + buffer.byteLength, this.#sizeBytes)
    if (end <= position) return 0
    return this.#bytes.copy(buffer, 0, position, end)
  }

  write(bytes: Buffer, position: number): void {
    this.#change({ position, bytes })
  }

  truncate(sizeBytes: number): void {
    this.#change({ position: sizeBytes })
  }

  /** Makes durable all up to the file's `changeCount`-th change. */
  sync(changeCount: number): void {
    const laterCount = this.#changeCount - changeCount
    const covered = Math.max(this.#unsynced.length - laterCount, 0)
    this.#settle(this.#unsynced.splice(0, covered), () => 'whole')
  }

  /** What an EIO at datasync leaves: each change is either durable or forgotten. */
  syncBadly(chance: Chance): void {
    const survives = (): Survival => (chance.happens(0.5) ? 'whole' : 'lost')
    this.#settle(this.#unsynced.splice(0), survives)
  }

  /** The power is gone. `recycled`: what the sectors held before. */
  crash(chance: Chance, recycled: Buffer): void {
    const survival = chance.pick<() => Survival>([
      () => 'lost',
      () => 'whole',
      () => chance.pick(['whole', 'torn', 'torn', 'lost']),
    ])
    const sizeBytes = this.#sizeBytes
    this.#settle(this.#unsynced.splice(0), survival, chance)
    if (chance.happens(0.5)) this.#leaveHole(sizeBytes, chance.happens(0.5) ? recycled : undefined)
    this.#bytes = Buffer.from(this.#durableBytes)
    this.#sizeBytes = this.#bytes.byteLength
  }

  /** Flips one bit of what is durable. */
  rot(position: number, bit: number): void {
    for (const bytes of [this.#bytes, this.#durableBytes]) {
      if (position < bytes.byteLength) bytes[position] = (bytes[position] ?? 0) ^ (1 << bit)
    }
  }

  bytes(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#sizeBytes))
  }

  #change(change: FileChange): void {
    this.#unsynced.push(change)
    this.#changeCount += 1
    const { position, bytes } = change
    if (bytes === undefined) {
      this.#bytes.fill(0, Math.min(position, this.#bytes.byteLength))
      this.#sizeBytes = position
      this.#bytes = grown(this.#bytes, position)
      return
    }
    const end = position + bytes.byteLength
    this.#bytes = grown(this.#bytes, end)
    bytes.copy(this.#bytes, position)
    this.#sizeBytes = Math.max(this.#sizeBytes, end)
  }

  /** Makes durable, in order, what survives of the changes. */
  #settle(changes: FileChange[], survival: () => Survival, chance?: Chance): void {
    for (const { position, bytes } of changes) {
      const fate = survival()
      if (fate === 'lost') continue
      if (bytes === undefined) this.#durableBytes = resized(this.#durableBytes, position)
      else if (chance === undefined || fate === 'whole') this.#makeDurable(bytes, position)
      else this.#tear(bytes, position, chance)
    }
  }

  /** Of each sector all survives, or nothing; of one, whatever the disk had time for. */
  #tear(bytes: Buffer, position: number, chance: Chance): void {
    const cut = chance.integer(0, bytes.byteLength)
    for (let from = 0; from < bytes.byteLength;) {
      const to = Math.min(
        from + SECTOR_BYTES - ((position + from) % SECTOR_BYTES),
        bytes.byteLength,
      )
      const end = cut > from && cut < to ? cut : to
      if (chance.happens(0.5)) this.#makeDurable(bytes.subarray(from, end), position + from)
      from = to
    }
  }

  #makeDurable(bytes: Buffer, position: number): void {
    const end = position + bytes.byteLength
    if (end > this.#durableBytes.byteLength) this.#durableBytes = resized(this.#durableBytes, end)
    bytes.copy(this.#durableBytes, position)
  }

  /** The size of the file came to be durable, its last bytes did not. */
  #leaveHole(sizeBytes: number, recycled: Buffer | undefined): void {
    const from = this.#durableBytes.byteLength
    if (sizeBytes <= from) return
    this.#durableBytes = resized(this.#durableBytes, sizeBytes)
    recycled?.subarray(from).copy(this.#durableBytes, from)
  }
}

type Survival = 'whole' | 'torn' | 'lost'

function grown(bytes: Buffer, sizeBytes: number): Buffer {
  if (sizeBytes <= bytes.byteLength) return bytes
  return resized(bytes, Math.max(sizeBytes, bytes.byteLength * 2, 512))
}

function resized(bytes: Buffer, sizeBytes: number): Buffer {
  const result = Buffer.alloc(sizeBytes)
  bytes.copy(result)
  return result
}

export type DiskNode = DiskFile | DiskDirectory

export class DiskDirectory {
  entries = new Map<string, DiskNode>()
  durable = new Map<string, DiskNode>()
}

interface EntryChange {
  readonly directory: DiskDirectory
  readonly name: string
  /** Absent: the entry was removed. */
  readonly node?: DiskNode
}

/** The tree, and the journal of changes to it that no syncDirectory has made durable. */
export class Disk {
  readonly root = new DiskDirectory()
  /** Each element survives as one. */
  #unsynced: { readonly sequence: number; readonly parts: readonly EntryChange[] }[] = []
  #changeCount = 0
  /** What was in a file that is gone. */
  #recycled: Buffer = Buffer.alloc(0)

  /** How many changes there have been; a sync that begins now covers these. */
  get changeCount(): number {
    return this.#changeCount
  }

  change(...parts: readonly EntryChange[]): void {
    for (const { directory, name, node } of parts) {
      const former = directory.entries.get(name)
      if (former instanceof DiskFile && former !== node) this.#recycled = former.bytes()
      apply(directory.entries, name, node)
    }
    this.#changeCount += 1
    this.#unsynced.push({ sequence: this.#changeCount, parts })
  }

  /** Makes durable what concerns the directory up to the disk's `changeCount`-th change. */
  sync(directory: DiskDirectory, changeCount: number): void {
    this.#unsynced = this.#unsynced.filter(({ sequence, parts }) => {
      if (sequence > changeCount || !concerns(parts, directory)) return true
      makeDurable(parts)
      return false
    })
  }

  crash(chance: Chance): void {
    const survivors = new Map<DiskDirectory, number>()
    for (const { parts } of this.#unsynced) {
      const directory = parts[0]?.directory
      if (directory === undefined) continue
      const count = survivors.get(directory) ?? this.#survivorCount(directory, chance)
      survivors.set(directory, count - 1)
      if (count > 0) makeDurable(parts)
    }
    this.#unsynced = []
    for (const node of walk(this.root, 'durable')) {
      if (node instanceof DiskFile) node.crash(chance, this.#recycled)
      else node.entries = new Map(node.durable)
    }
  }

  files(): DiskFile[] {
    return [...walk(this.root, 'entries')].filter((node) => node instanceof DiskFile)
  }

  usedBytes(): number {
    return this.files().reduce((sum, file) => sum + file.sizeBytes, 0)
  }

  #survivorCount(directory: DiskDirectory, chance: Chance): number {
    const count = this.#unsynced.filter(({ parts }) => concerns(parts, directory)).length
    return chance.pick([() => 0, () => count, () => chance.integer(0, count)])()
  }
}

function concerns(parts: readonly EntryChange[], directory: DiskDirectory): boolean {
  return parts.some((change) => change.directory === directory)
}

function makeDurable(parts: readonly EntryChange[]): void {
  for (const { directory, name, node } of parts) apply(directory.durable, name, node)
}

function apply(entries: Map<string, DiskNode>, name: string, node: DiskNode | undefined): void {
  if (node === undefined) entries.delete(name)
  else entries.set(name, node)
}

function* walk(directory: DiskDirectory, side: 'entries' | 'durable'): Generator<DiskNode> {
  yield directory
  for (const node of directory[side].values()) {
    if (node instanceof DiskDirectory) yield* walk(node, side)
    else yield node
  }
}

/** All files with their paths. */
export function* filesUnder(directory: DiskDirectory, path = ''): Generator<[string, DiskFile]> {
  for (const [name, node] of directory.entries) {
    if (node instanceof DiskDirectory) yield* filesUnder(node, `${path}/${name}`)
    else yield [`${path}/${name}`, node]
  }
}
