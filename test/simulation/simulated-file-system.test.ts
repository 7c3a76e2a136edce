import { expect, test } from 'vitest'
import type { FileSystem, OpenFile } from '../../src/embedded/file-system.ts'
import { errorCode } from '../../src/embedded/file-system.ts'
import { Machine } from './machine.ts'

/** Crashes are tried with this many seeds, so that each fate comes up. */
const SEEDS = 400

async function create(fileSystem: FileSystem, path: string, text: string): Promise<OpenFile> {
  const file = await fileSystem.open(path, 'create')
  await file.write([Buffer.from(text)], 0)
  return file
}

async function textOf(fileSystem: FileSystem, path: string): Promise<string> {
  const file = await fileSystem.open(path, 'read')
  const buffer = Buffer.alloc(await file.sizeBytes())
  await file.read(buffer, 0)
  return buffer.toString('latin1')
}

/** What `textOf` finds after a power loss that follows `task`, over all seeds; `''`: no such file. */
async function fatesAfter(
  task: (fileSystem: FileSystem) => Promise<void>,
  path = 'file',
): Promise<Set<string>> {
  const fates = new Set<string>()
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const machine = new Machine(seed)
    await machine.run(task)
    machine.losePower()
    const names = await machine.run((fileSystem) => fileSystem.list(''))
    fates.add(names.includes(path) ? await machine.run((it) => textOf(it, path)) : 'no file')
  }
  return fates
}

test('what was synced, in file and directory, survives every loss of power', async () => {
  const fates = await fatesAfter(async (fileSystem) => {
    const file = await create(fileSystem, 'file', 'abcd')
    await file.datasync()
    await fileSystem.syncDirectory('')
  })
  expect(fates).toEqual(new Set(['abcd']))
})

test('a synced file may be gone when its directory was not synced', async () => {
  const fates = await fatesAfter(async (fileSystem) => {
    const file = await create(fileSystem, 'file', 'abcd')
    await file.datasync()
  })
  expect(fates).toEqual(new Set(['abcd', 'no file']))
})

test('what was written and not synced survives whole, torn or not at all', async () => {
  const fates = await fatesAfter(async (fileSystem) => {
    const file = await create(fileSystem, 'file', 'ab')
    await file.datasync()
    await fileSystem.syncDirectory('')
    await file.write([Buffer.from('cd')], 2)
  })
  expect(fates).toEqual(new Set(['ab', 'abcd', 'abc', 'abc\0', 'ab\0\0']))
})

test('a seed always leaves the same', async () => {
  const unsynced = async (fileSystem: FileSystem): Promise<void> => {
    await create(fileSystem, 'file', 'x'.repeat(2_000))
  }
  // In the order in which the seeds came to them.
  expect([...(await fatesAfter(unsynced))]).toEqual([...(await fatesAfter(unsynced))])
})

test('of a torn write a later sector may survive without an earlier one', async () => {
  const fates = await fatesAfter(async (fileSystem) => {
    await create(fileSystem, 'file', 'x'.repeat(1_024))
    await fileSystem.syncDirectory('')
  })
  expect([...fates]).toContain('\0'.repeat(512) + 'x'.repeat(512))
})

test('a rename that was not synced may be undone, and is never half done', async () => {
  const machines = Array.from({ length: SEEDS }, (_, index) => new Machine(index + 1))
  const listings = new Set<string>()
  for (const machine of machines) {
    await machine.run(async (fileSystem) => {
      const file = await create(fileSystem, 'from', 'abcd')
      await file.datasync()
      await fileSystem.syncDirectory('')
      await fileSystem.rename('from', 'to')
    })
    machine.losePower()
    listings.add((await machine.run((fileSystem) => fileSystem.list(''))).join())
  }
  expect(listings).toEqual(new Set(['from', 'to']))
})

test('after a failed datasync nothing is sure, and a later one does not mend it', async () => {
  const fates = new Set<string>()
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const machine = new Machine(seed)
    const file = await machine.run((fileSystem) => create(fileSystem, 'file', 'abcd'))
    await machine.run((fileSystem) => fileSystem.syncDirectory(''))
    machine.disk.faults = { ...machine.disk.faults, datasync: 1 }
    await expect(machine.run(() => file.datasync())).rejects.toThrow('EIO')
    machine.disk.faults = { ...machine.disk.faults, datasync: 0 }
    expect(await machine.run((fileSystem) => textOf(fileSystem, 'file'))).toBe('abcd')
    await machine.run(() => file.datasync())
    machine.losePower()
    fates.add(await machine.run((fileSystem) => textOf(fileSystem, 'file')))
  }
  expect(fates).toEqual(new Set(['abcd', '', '\0\0\0\0']))
})

test('a process that dies alone loses nothing that was written', async () => {
  const machine = new Machine()
  await machine.run((fileSystem) => create(fileSystem, 'file', 'abcd'))
  machine.dieAlone()
  expect(await machine.run((fileSystem) => textOf(fileSystem, 'file'))).toBe('abcd')
})

test('a dead process has no power over the disk', async () => {
  const machine = new Machine()
  const zombie = machine.fileSystem
  const file = await machine.run((fileSystem) => create(fileSystem, 'file', 'abcd'))
  machine.dieAlone()
  void file.truncate(0)
  void zombie.unlink('file')
  await machine.scheduler.runUntil(() => false, 1_000)
  expect(await machine.run((fileSystem) => textOf(fileSystem, 'file'))).toBe('abcd')
})

test('a full disk takes part of a write and says ENOSPC', async () => {
  const machine = new Machine(1, 1_000)
  const failure = await machine
    .run((fileSystem) => create(fileSystem, 'file', 'x'.repeat(1_001)))
    .catch(errorCode)
  expect(failure).toBe('ENOSPC')
  expect(await machine.run((fileSystem) => fileSystem.freeBytes(''))).toBeLessThan(1_000)
})

test('files and directories answer as the system does', async () => {
  const machine = new Machine()
  const codes = await machine.run(async (fileSystem) => {
    await fileSystem.makeDirectory('a')
    await fileSystem.makeDirectory('a')
    await create(fileSystem, 'a/b', 'x')
    return Promise.all(
      [
        fileSystem.open('a/b', 'create'),
        fileSystem.open('a/c', 'update'),
        fileSystem.unlink('a/c'),
        fileSystem.removeDirectory('a'),
        fileSystem.open('no/c', 'create'),
      ].map((call) => call.then(() => 'done', errorCode)),
    )
  })
  expect(codes).toEqual(['EEXIST', 'ENOENT', 'ENOENT', 'ENOTEMPTY', 'ENOENT'])
  expect(await machine.run((fileSystem) => fileSystem.list('nowhere'))).toEqual([])
})
