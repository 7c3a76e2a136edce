/**
 * An index of documents as the engine meets it: bulks of documents that are created under their
 * record ids, of which each has its own fate. What goes wrong with a bulk as a whole, see
 * simulated-network.ts; with a document, and why the engine is expected to survive it:
 *
 * - It exists already: an earlier bulk, perhaps one that was never answered, has made it.
 * - It is refused for good (400), always, by its text; some indexes refuse nearly all.
 * - It is refused now (429) and tried again, until the retry duration is over.
 * - Its fate is unknown (500): it is there, or not.
 */
import type { Chance } from './chance.ts'
import { hash32 } from './chance.ts'
import type { Owner } from './scheduler.ts'
import type { SimulatedNetwork } from './simulated-network.ts'

/** Probabilities, for each document. */
export interface IndexFaults {
  readonly busy: number
  readonly shardFails: number
}

export const NO_INDEX_FAULTS: IndexFaults = { busy: 0, shardFails: 0 }

export interface IndexDocument {
  readonly id: string
  readonly text: string
}

export type DocumentAnswer = '201' | '409' | '400' | '429' | '500'

export interface IndexConnection {
  /** @throws DeliveryError */
  create(
    index: string,
    documents: readonly IndexDocument[],
    signal: AbortSignal,
  ): Promise<readonly DocumentAnswer[]>
}

export class SimulatedIndex {
  faults = NO_INDEX_FAULTS
  /** Texts by `index/id`. */
  readonly documents = new Map<string, string>()
  readonly #network: SimulatedNetwork
  readonly #chance: Chance

  constructor(network: SimulatedNetwork, chance: Chance) {
    this.#network = network
    this.#chance = chance
  }

  connect(owner: Owner): IndexConnection {
    return {
      create: (index, documents, signal) =>
        this.#network.send({
          name: `bulk of ${documents.length} from ${documents[0]?.id} into ${index}`,
          owner,
          signal,
          act: (share) =>
            documents
              .slice(0, Math.ceil(documents.length * share))
              .map((document) => this.#create(index, document)),
        }),
    }
  }

  #create(index: string, { id, text }: IndexDocument): DocumentAnswer {
    const { busy, shardFails } = this.faults
    const name = `${index}/${id}`
    if (this.documents.has(name)) return '409'
    if (isPoison(index, text)) return '400'
    if (this.#chance.happens(busy)) return '429'
    const fails = this.#chance.happens(shardFails)
    if (!fails || this.#chance.happens(0.5)) this.documents.set(name, text)
    return fails ? '500' : '201'
  }
}

/** Whether an index will never take a text. */
export function isPoison(index: string, text: string): boolean {
  const isStrict = hash32(index) % 4 === 0
  return hash32(text) % 16 < (isStrict ? 15 : 1)
}
