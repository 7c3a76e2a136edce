import { expect, test } from 'vitest'
import { silentLogger } from '../../src/base/logger.ts'
import type { SealedBatch } from '../../src/batch.ts'
import { BatchFileContents } from '../../src/embedded/batch-contents.ts'
import { encodeHeader } from '../../src/embedded/batch-file.ts'
import { BatchPaths } from '../../src/embedded/batch-paths.ts'
import { makeDirectories } from '../../src/embedded/file-operations.ts'
import type { FileSystem } from '../../src/embedded/file-system.ts'
import { LocalKeyRing } from '../../src/embedded/local-key-ring.ts'
import { StagedBytes } from '../../src/embedded/staged-bytes.ts'
import { readStaged, stageTexts } from '../contracts/batch-staging.ts'
import { Machine } from './machine.ts'
import { virtualClock, WallClock } from './virtual-clock.ts'

const SEEDS = 12
/** More than a staging takes. */
const STEPS = 16
const CAPACITY_BYTES = 10_000_000

const BATCH: SealedBatch = {
  batchId: '01KAJ2Z5W00000000000000000',
  streamId: 'S1',
  recordCount: 1,
  dataBytes: 1,
  storedBytes: 1,
  firstArrivalMs: 0,
  lastArrivalMs: 0,
  sealedAtMs: 0,
  sealReason: 'age',
}
const PATHS = new BatchPaths('/data')

/** Small blocks, and one that is written by itself. */
const BLOCKS = { first: ['a', 'b'], second: ['c'.repeat(600_000), 'd', ''] }

function contentsOn(machine: Machine): { contents: BatchFileContents; wrappedDataKey: string } {
  const { scheduler, chance, process, fileSystem } = machine
  const clock = virtualClock(scheduler, new WallClock(), chance, process)
  const keyRing = LocalKeyRing.fromSetting(Buffer.alloc(32, 7).toString('base64'), clock)
  return {
    contents: new BatchFileContents({
      dataDirectory: '/data',
      fileSystem,
      keyRing,
      clock,
      logger: silentLogger,
      stagedBytes: new StagedBytes(),
    }),
    wrappedDataKey: keyRing.makeDataKey().wrapped,
  }
}

async function makeBatchFile(fileSystem: FileSystem, wrappedDataKey: string): Promise<void> {
  await makeDirectories(fileSystem, PATHS.stream(BATCH.streamId))
  const file = await fileSystem.open(PATHS.file(BATCH, 'batch'), 'create')
  const { batchId, streamId } = BATCH
  await file.write([encodeHeader({ batchId, streamId, bornMs: 0, wrappedDataKey })], 0)
  await file.datasync()
  await file.close()
  await fileSystem.syncDirectory(PATHS.stream(BATCH.streamId))
}

/** What is staged: which of the two, and all of it. */
async function found(machine: Machine): Promise<'first' | 'second' | 'nothing'> {
  const { contents } = contentsOn(machine)
  const staged = await machine.run(() => readStaged(contents, BATCH, [0, 1]))
  if (staged === undefined) return 'nothing'
  const name = staged.index as 'first' | 'second'
  expect(staged.blocks).toEqual(BLOCKS[name].slice(0, 2))
  return name
}

/** What is there after a crash at each step of staging `second`; each fate with what led to it. */
async function fatesOfSecond(
  isFirstStaged: boolean,
  crash: (machine: Machine) => void,
): Promise<Set<string>> {
  const fates = new Set<string>()
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    for (let steps = 0; steps <= STEPS; steps += 1) {
      const machine = new Machine(seed, CAPACITY_BYTES)
      const { contents, wrappedDataKey } = contentsOn(machine)
      await machine.run((fileSystem) => makeBatchFile(fileSystem, wrappedDataKey))
      const stage = (name: 'first' | 'second') => stageTexts(contents, BATCH, name, ...BLOCKS[name])
      if (isFirstStaged) await machine.run(() => stage('first'))
      const ended = await machine.runFor(steps, () => stage('second'))
      crash(machine)
      fates.add(`${ended ? 'ended' : 'cut short'}: ${await found(machine)}`)
    }
  }
  return fates
}

const CRASHES = [
  ['a loss of power', (machine: Machine) => machine.losePower()],
  ['the death of the process', (machine: Machine) => machine.dieAlone()],
] as const

test.for(CRASHES)('%s leaves nothing staged, or all that was', async ([, crash]) => {
  expect(await fatesOfSecond(false, crash)).toEqual(
    new Set(['cut short: nothing', 'cut short: second', 'ended: second']),
  )
})

test.for(CRASHES)('%s leaves what was staged first, or all of the second', async ([, crash]) => {
  expect(await fatesOfSecond(true, crash)).toEqual(
    new Set(['cut short: first', 'cut short: second', 'ended: second']),
  )
})

test.for(CRASHES)('after %s a batch is staged again', async ([, crash]) => {
  for (let steps = 0; steps <= STEPS; steps += 1) {
    const machine = new Machine(steps + 1, CAPACITY_BYTES)
    const { contents, wrappedDataKey } = contentsOn(machine)
    await machine.run((fileSystem) => makeBatchFile(fileSystem, wrappedDataKey))
    await machine.runFor(steps, () => stageTexts(contents, BATCH, 'second', ...BLOCKS.second))
    crash(machine)
    const again = contentsOn(machine).contents
    await machine.run(() => stageTexts(again, BATCH, 'first', ...BLOCKS.first))
    expect(await found(machine)).toBe('first')
  }
})
