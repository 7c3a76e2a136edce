import type { SealedBatch } from '../../batch.ts'
import type { BatchJob, JobPlace } from './jobs.ts'
import { laneName } from '../keys.ts'
import type { Lane } from '../lanes.ts'

/** A claim of this process. */
export interface HeldClaim {
  readonly token: string
  readonly batch: SealedBatch
  readonly job: BatchJob
  readonly place: JobPlace
  lent: boolean
}

/** The claims that this process has in hand, and how many more of each kind it may have. */
export class HeldClaims {
  readonly #claims = new Map<string, HeldClaim>()
  readonly #claimsMax: number
  readonly #suspectClaimsMax: number
  /** Lanes of claims in hand that are suspects, as far as is known here. */
  readonly #suspects = new Set<string>()

  constructor(claimsMax: number) {
    this.#claimsMax = claimsMax
    this.#suspectClaimsMax = Math.max(1, Math.floor(claimsMax / 2))
  }

  get(token: string): HeldClaim | undefined {
    return this.#claims.get(token)
  }

  add(claim: HeldClaim): void {
    this.#claims.set(claim.token, claim)
  }

  remove(token: string): void {
    const claim = this.#claims.get(token)
    if (claim === undefined) return
    this.#claims.delete(token)
    const lane = laneOf(claim)
    if (!this.all().some((other) => laneOf(other) === lane)) this.#suspects.delete(lane)
  }

  /** What is known of a lane. Only those of claims in hand matter. */
  learn({ streamId, lane }: Lane, suspect: boolean): void {
    const name = laneName(streamId, lane)
    if (suspect && this.all().some((claim) => laneOf(claim) === name)) this.#suspects.add(name)
    else this.#suspects.delete(name)
  }

  all(): HeldClaim[] {
    return [...this.#claims.values()]
  }

  of(streamId: string): HeldClaim[] {
    return this.all().filter(({ batch }) => batch.streamId === streamId)
  }

  mayTake(place: JobPlace): boolean {
    const limited = this.all().filter(({ lent }) => !lent)
    if (limited.length >= this.#claimsMax) return false
    if (place === 'deliveries') return true
    const suspects = limited.filter((claim) => this.#suspects.has(laneOf(claim)))
    return suspects.length < this.#suspectClaimsMax
  }
}

function laneOf({ batch }: HeldClaim): string {
  return laneName(batch.streamId, batch.lane)
}
