/**
 * Refusals as a stored manifest keeps them: those that are alike but for the record are one group. An
 * endpoint that refuses a hundred thousand records says the same of each, in up to 8 KiB.
 */
import type { FrozenOutput, Manifest, OutputProgress, Refusal } from '../manifest.ts'

type RefusalGroup = Omit<Refusal, 'ordinal'> & { readonly ordinals: readonly number[] }

type OpenGroup = RefusalGroup & { readonly ordinals: number[] }

interface GroupedProgress extends Omit<OutputProgress, 'refused'> {
  readonly refused: readonly RefusalGroup[]
}

interface GroupedOutput extends Omit<FrozenOutput, 'progress'> {
  readonly progress?: GroupedProgress
}

export interface GroupedManifest extends Omit<Manifest, 'outputs'> {
  readonly outputs: readonly GroupedOutput[]
}

export function groupRefusals(manifest: Manifest): GroupedManifest {
  const outputs = manifest.outputs.map(({ progress, ...output }) =>
    progress === undefined
      ? output
      : { ...output, progress: { ...progress, refused: groupsOf(progress.refused) } },
  )
  return { ...manifest, outputs }
}

/** The refusals come in the order of their groups. */
export function ungroupRefusals(manifest: GroupedManifest): Manifest {
  const outputs = manifest.outputs.map(({ progress, ...output }) =>
    progress === undefined
      ? output
      : { ...output, progress: { ...progress, refused: progress.refused.flatMap(refusalsOf) } },
  )
  return { ...manifest, outputs }
}

function groupsOf(refusals: readonly Refusal[]): RefusalGroup[] {
  const groups = new Map<string, OpenGroup>()
  let last: OpenGroup | undefined
  for (const { ordinal, ...alike } of refusals) {
    // Neighbours mostly are alike, and a key of 8 KiB is dear.
    const group = last !== undefined && isAlike(last, alike) ? last : groupOf(groups, alike)
    group.ordinals.push(ordinal)
    last = group
  }
  return [...groups.values()]
}

function groupOf(groups: Map<string, OpenGroup>, alike: Omit<Refusal, 'ordinal'>): OpenGroup {
  const { errorCode, errorMessage, attempts, atMs } = alike
  const key = `${attempts} ${atMs} ${errorCode} ${errorMessage}`
  const group = groups.get(key) ?? { ...alike, ordinals: [] }
  groups.set(key, group)
  return group
}

function isAlike(one: Omit<Refusal, 'ordinal'>, other: Omit<Refusal, 'ordinal'>): boolean {
  return (
    one.errorMessage === other.errorMessage &&
    one.errorCode === other.errorCode &&
    one.attempts === other.attempts &&
    one.atMs === other.atMs
  )
}

function refusalsOf({ ordinals, ...alike }: RefusalGroup): Refusal[] {
  return ordinals.map((ordinal) => ({ ordinal, ...alike }))
}
