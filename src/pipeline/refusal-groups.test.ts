import { expect, test } from 'vitest'
import type { FrozenOutput, Manifest, Refusal } from '../manifest.ts'
import { groupRefusals, ungroupRefusals } from './refusal-groups.ts'

function manifestWith(...refused: Refusal[]): Manifest {
  const output: FrozenOutput = {
    kind: 'http-request',
    target: {},
    accounting: 'delivered',
    recordCount: 9,
    sizeBytes: 1,
    sha256: 'a',
    formerSha256s: [],
  }
  return {
    batchId: '01J2P4YH2NZ5R6T7V8W9X0Y1Z2',
    versionId: 1,
    destinationType: 'HttpEndpoint',
    destination: {},
    frozenAtMs: 1,
    outputs: [output, { ...output, progress: { attempts: 2, lastAttemptAtMs: 3, refused } }],
    droppedCount: 0,
    quarantinedCount: 0,
  }
}

function refusal(ordinal: number, errorMessage: string, attempts = 1): Refusal {
  return { ordinal, errorCode: '400', errorMessage, attempts, atMs: 5 }
}

test('refusals that are alike are kept once, and come back as they were', () => {
  const manifest = manifestWith(
    refusal(1, 'a'),
    refusal(2, 'a'),
    refusal(4, 'b'),
    refusal(5, 'b', 2),
  )
  const grouped = groupRefusals(manifest)
  expect(grouped.outputs[1]?.progress?.refused.map(({ ordinals }) => ordinals)).toEqual([
    [1, 2],
    [4],
    [5],
  ])
  expect(ungroupRefusals(grouped)).toEqual(manifest)
})

test('a hundred thousand refusals for one long reason take little more than the reason', () => {
  const reason = 'x'.repeat(8_192)
  const refused = Array.from({ length: 100_000 }, (_, ordinal) => refusal(ordinal, reason))
  const manifest = manifestWith(...refused)
  expect(JSON.stringify(groupRefusals(manifest)).length).toBeLessThan(700_000)
})
