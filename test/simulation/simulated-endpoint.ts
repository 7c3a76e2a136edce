/**
 * An endpoint that takes whole requests and can't tell a repeat by itself. It remembers each request
 * that reached it, so that the oracle can count the repeats and ask what excuses them.
 */
import { DeliveryError } from '../../src/destination.ts'
import type { Owner } from './scheduler.ts'
import type { SimulatedNetwork } from './simulated-network.ts'

/** A process that sends. */
export interface Sender extends Owner {
  /** Its disk has nothing against it. */
  readonly diskIsSound: boolean
}

export interface EndpointRequest {
  readonly batchId: string
  readonly requestId: string
  readonly body: string
}

/** One sending of a request, as its sender knows it. */
export interface Sending extends EndpointRequest {
  readonly owner: Sender
  /** The sender was told that it was taken. */
  told: boolean
  /** The sender was told that it had no effect: names may be made anew. */
  refused: boolean
  /** It was taken, whether or not its sender knows. */
  taken: boolean
}

export interface EndpointConnection {
  /** @throws DeliveryError */
  post(request: EndpointRequest, signal: AbortSignal): Promise<void>
}

export class SimulatedEndpoint {
  /** In the order in which they were sent. */
  readonly sendings: Sending[] = []
  readonly #network: SimulatedNetwork

  constructor(network: SimulatedNetwork) {
    this.#network = network
  }

  connect(owner: Sender): EndpointConnection {
    return {
      post: async (request, signal) => {
        const sending: Sending = { ...request, owner, told: false, refused: false, taken: false }
        this.sendings.push(sending)
        const sent = this.#network.send({
          name: `request ${request.requestId}`,
          owner,
          signal,
          // Half a request is none.
          act: (share) => {
            if (share === 1) sending.taken = true
          },
        })
        await sent.catch((error: unknown) => {
          sending.refused = error instanceof DeliveryError && error.effect === 'none'
          throw error
        })
        sending.told = true
      },
    }
  }
}
