/**
 * The FileSystem seam over a simulated disk. What goes wrong here, and why the engine is expected to
 * survive it:
 *
 * - The machine loses power between any two steps: unsynced changes are lost, torn or kept as chance
 *   has it (disk.ts). Nothing was acknowledged before it was synced, in file and directory.
 * - The process alone dies: all is kept that was written, and the write in hand in part. It is the
 *   same to recovery: a torn tail. What was written stays unsynced, and may go with the next power
 *   loss though the new process has read it.
 * - `write` fails with ENOSPC or EIO, some of its bytes written: its appends are refused, the batch
 *   ends at its last durable byte.
 * - `datasync` fails with EIO and forgets some of the writes: it is never trusted again for this file.
 * - Any other call fails with EIO, also at recovery: nothing has happened then, so that the act is
 *   refused or repeated, and at start-up the process gives up and is started again.
 * - Calls are slow, some very slow, and those of different files overtake each other: appends of one
 *   stream wait for each other, the acknowledgement waits for the sync.
 * - Free space goes away and comes back: puts are refused, and accepted again without a restart.
 *
 * Not simulated: a disk that says synced and isn't (no software survives that; it is one of the
 * planted bugs), and reads that return wrong bytes without an error, other than by rot.
 */
import type { FileSystem, OpenFile } from '../../src/embedded/file-system.ts'
import type { Chance } from './chance.ts'
import { Disk, DiskDirectory, DiskFile } from './disk.ts'
import type { DiskNode } from './disk.ts'
import type { Owner, Scheduler } from './scheduler.ts'

export interface DiskFaults {
  /** Probability of EIO. */
  write: number
  datasync: number
  other: number
  /** Bytes that somebody else has taken of the disk. */
  takenBytes: number
}

export const NO_DISK_FAULTS: DiskFaults = { write: 0, datasync: 0, other: 0, takenBytes: 0 }

interface SimulatedDiskOptions {
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly capacityBytes: number
}

/** A write that the system is busy with. */
interface WriteInHand {
  readonly owner: Owner
  readonly file: DiskFile
  readonly bytes: Buffer
  readonly position: number
}

/** The machine's disk. It outlives the processes that mount it. */
export class SimulatedDisk {
  readonly disk = new Disk()
  faults = NO_DISK_FAULTS
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly #capacityBytes: number
  readonly #writesInHand = new Set<WriteInHand>()

  constructor({ scheduler, chance, capacityBytes }: SimulatedDiskOptions) {
    this.scheduler = scheduler
    this.chance = chance
    this.#capacityBytes = capacityBytes
  }

  /** The file system as one process has it: its calls have no effect once the process is dead. */
  mount(owner: Owner): FileSystem {
    return new SimulatedFileSystem(this, owner)
  }

  /** Call it after the process has died. */
  afterProcessCrash(): void {
    for (const write of this.#writesInHand) this.#writePart(write)
    this.#writesInHand.clear()
  }

  /** Call it after the process has died. */
  afterPowerLoss(): void {
    this.afterProcessCrash()
    this.disk.crash(this.chance)
  }

  freeBytes(): number {
    return Math.max(this.#capacityBytes - this.faults.takenBytes - this.disk.usedBytes(), 0)
  }

  async write(owner: Owner, file: DiskFile, bytes: Buffer, position: number): Promise<void> {
    const write = { owner, file, bytes, position }
    this.#writesInHand.add(write)
    await this.perform(owner, 'write', bytes.byteLength / 500_000, () => {
      this.#writesInHand.delete(write)
      if (this.chance.happens(this.faults.write)) {
        this.#writePart(write)
        throw systemError('EIO')
      }
      const growth = position + bytes.byteLength - file.sizeBytes
      if (growth > 0 && growth > this.freeBytes()) {
        this.#writePart(write)
        throw systemError('ENOSPC')
      }
      file.write(bytes, position)
    })
  }

  async datasync(owner: Owner, file: DiskFile): Promise<void> {
    const { changeCount } = file
    const durationMs = this.chance.happens(0.02) ? 150 : this.chance.between(0.2, 4)
    await this.perform(owner, 'datasync', durationMs, () => {
      if (this.chance.happens(this.faults.datasync)) {
        file.syncBadly(this.chance)
        throw systemError('EIO')
      }
      file.sync(changeCount)
    })
  }

  /** A call that is over after a while; `act` happens at its end, in one step. */
  perform<Value>(owner: Owner, name: string, durationMs: number, act: () => Value): Promise<Value> {
    const latencyMs = this.chance.between(0.02, 0.1) + durationMs
    return new Promise((resolve, reject) => {
      this.scheduler.after(latencyMs, owner, name, () => {
        try {
          resolve(act())
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  #writePart({ file, bytes, position }: WriteInHand): void {
    const count = this.chance.integer(0, bytes.byteLength)
    if (count > 0) file.write(bytes.subarray(0, count), position)
  }
}

class SimulatedFileSystem implements FileSystem {
  readonly #disk: SimulatedDisk
  readonly #owner: Owner

  constructor(disk: SimulatedDisk, owner: Owner) {
    this.#disk = disk
    this.#owner = owner
  }

  open(path: string, mode: 'create' | 'update' | 'read'): Promise<OpenFile> {
    return this.#call(`open ${path} ${mode}`, () => {
      const { directory, name } = this.#parent(path)
      const found = directory.entries.get(name)
      if (mode === 'create') {
        if (found !== undefined) throw systemError('EEXIST')
        const file = new DiskFile()
        this.#disk.disk.change({ directory, name, node: file })
        return new SimulatedFile(this.#disk, this.#owner, file)
      }
      if (found === undefined) throw systemError('ENOENT')
      if (found instanceof DiskDirectory) throw systemError('EISDIR')
      return new SimulatedFile(this.#disk, this.#owner, found)
    })
  }

  rename(from: string, to: string): Promise<void> {
    return this.#call(`rename ${from} ${to}`, () => {
      const source = this.#parent(from)
      const target = this.#parent(to)
      const node = this.#node(from)
      this.#disk.disk.change({ ...target, node }, source)
    })
  }

  unlink(path: string): Promise<void> {
    return this.#call(`unlink ${path}`, () => {
      if (this.#node(path) instanceof DiskDirectory) throw systemError('EISDIR')
      this.#disk.disk.change(this.#parent(path))
    })
  }

  list(directory: string): Promise<string[]> {
    return this.#call(`list ${directory}`, () => {
      const node = this.#find(directory)
      return node instanceof DiskDirectory ? [...node.entries.keys()] : []
    })
  }

  makeDirectory(path: string): Promise<void> {
    return this.#call(`mkdir ${path}`, () => {
      if (this.#find(path) !== undefined) return
      this.#disk.disk.change({ ...this.#parent(path), node: new DiskDirectory() })
    })
  }

  removeDirectory(path: string): Promise<void> {
    return this.#call(`rmdir ${path}`, () => {
      if (this.#directory(path).entries.size > 0) throw systemError('ENOTEMPTY')
      this.#disk.disk.change(this.#parent(path))
    })
  }

  syncDirectory(path: string): Promise<void> {
    const { changeCount } = this.#disk.disk
    return this.#call(
      `fsync ${path}`,
      () => this.#disk.disk.sync(this.#directory(path), changeCount),
      this.#disk.chance.between(0.2, 4),
    )
  }

  freeBytes(path: string): Promise<number> {
    return this.#call(`statfs ${path}`, () => this.#disk.freeBytes())
  }

  #call<Value>(name: string, act: () => Value, durationMs = 0): Promise<Value> {
    return this.#disk.perform(this.#owner, name, durationMs, () => {
      if (this.#disk.chance.happens(this.#disk.faults.other)) throw systemError('EIO')
      return act()
    })
  }

  #find(path: string): DiskNode | undefined {
    let node: DiskNode | undefined = this.#disk.disk.root
    for (const name of namesOf(path)) {
      if (!(node instanceof DiskDirectory)) return undefined
      node = node.entries.get(name)
    }
    return node
  }

  #node(path: string): DiskNode {
    const node = this.#find(path)
    if (node === undefined) throw systemError('ENOENT')
    return node
  }

  #directory(path: string): DiskDirectory {
    const node = this.#node(path)
    if (node instanceof DiskDirectory) return node
    throw systemError('ENOTDIR')
  }

  #parent(path: string): { directory: DiskDirectory; name: string } {
    const names = namesOf(path)
    const name = names.pop()
    if (name === undefined) throw systemError('EINVAL')
    return { directory: this.#directory(names.join('/')), name }
  }
}

class SimulatedFile implements OpenFile {
  readonly #disk: SimulatedDisk
  readonly #owner: Owner
  readonly #file: DiskFile

  constructor(disk: SimulatedDisk, owner: Owner, file: DiskFile) {
    this.#disk = disk
    this.#owner = owner
    this.#file = file
  }

  write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    return this.#disk.write(this.#owner, this.#file, Buffer.concat(buffers), position)
  }

  read(buffer: Uint8Array, position: number): Promise<number> {
    return this.#call('read', () => this.#file.read(buffer, position))
  }

  datasync(): Promise<void> {
    return this.#disk.datasync(this.#owner, this.#file)
  }

  sizeBytes(): Promise<number> {
    return this.#call('stat', () => this.#file.sizeBytes)
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#call('truncate', () => this.#file.truncate(sizeBytes))
  }

  close(): Promise<void> {
    return this.#disk.perform(this.#owner, 'close', 0, () => {})
  }

  #call<Value>(name: string, act: () => Value): Promise<Value> {
    return this.#disk.perform(this.#owner, name, 0, () => {
      if (this.#disk.chance.happens(this.#disk.faults.other)) throw systemError('EIO')
      return act()
    })
  }
}

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.')
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code })
}
