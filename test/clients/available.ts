/**
 * Whether to run the tests of something that a machine may not have: `test.runIf(available(…))`.
 * Where it is missing they are skipped loudly; in CI, where .ci/run installs everything, they fail.
 */
export function available(what: string, present: boolean): boolean {
  if (present) return true
  if (process.env['CI'] !== undefined) throw new Error(`Cannot test in CI: ${what} is missing`)
  console.warn(`SKIPPED, because this machine has no ${what}`)
  return false
}
