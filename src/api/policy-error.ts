/** A policy that can't be taken as it is written. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError'
}
