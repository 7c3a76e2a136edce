/** What all PartitionLeases must do, however many processes there may be. */
import { expect, test } from 'vitest'
import type { PartitionLeases } from '../../src/partition-leases.ts'

export interface LeasesUnderTest extends AsyncDisposable {
  readonly leases: PartitionLeases
}

export function partitionLeasesContract(name: string, open: () => Promise<LeasesUnderTest>): void {
  test(`${name}: who is alone holds all that there is now`, async () => {
    await using tested = await open()
    const { leases } = tested
    expect(leases.renewMs).toBeGreaterThan(0)
    expect(await renewed(leases, ['a', 'b', 'c'])).toEqual(['a', 'b', 'c'])
    expect(await renewed(leases, ['a', 'b', 'c'])).toEqual(['a', 'b', 'c'])
    expect(await renewed(leases, ['d', 'b'])).toEqual(['b', 'd'])
    expect(await leases.renew('stream', [])).toEqual([])
    expect(await leases.renew('stream', ['a'])).toEqual(['a'])
  })

  test(`${name}: what was released is had again by asking`, async () => {
    await using tested = await open()
    const { leases } = tested
    await leases.release('stream')
    await leases.renew('stream', ['a', 'b'])
    await leases.release('stream')
    await leases.release('stream')
    expect(await leases.renew('stream', ['a', 'b'])).toEqual(['a', 'b'])
  })

  test(`${name}: streams have nothing to do with each other`, async () => {
    await using tested = await open()
    const { leases } = tested
    expect(await leases.renew('one', ['a', 'b'])).toEqual(['a', 'b'])
    expect(await leases.renew('other', ['a'])).toEqual(['a'])
    await leases.release('other')
    expect(await leases.renew('one', ['a', 'b'])).toEqual(['a', 'b'])
  })

  test(`${name}: any text may name a partition`, async () => {
    await using tested = await open()
    const names = ['', ' ', '1 2', 'a\nb', '__proto__', 'ü€😀', '\u0000', 'x'.repeat(512)]
    expect(await tested.leases.renew('stream', names)).toEqual(names)
    expect(await tested.leases.renew('stream', names)).toEqual(names)
  })
}

/** What is held then, in the order of the names. */
export async function renewed(
  leases: PartitionLeases,
  partitions: readonly string[],
): Promise<readonly string[]> {
  return (await leases.renew('stream', partitions)).toSorted()
}
