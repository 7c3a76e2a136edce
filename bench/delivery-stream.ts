/** A delivery stream of the service under test, from outside. */
import type { JsonObject } from '../src/base/json.ts'
import { getJson } from './signing.ts'

export async function createStream(port: number, name: string, members: object): Promise<void> {
  await call(port, 'CreateDeliveryStream', { DeliveryStreamName: name, ...members })
}

export async function deleteStream(port: number, name: string): Promise<void> {
  await call(port, 'DeleteDeliveryStream', { DeliveryStreamName: name })
}

async function call(port: number, operation: string, input: JsonObject): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `Firehose_20150804.${operation}`,
    },
    body: JSON.stringify(input),
  })
  if (!answer.ok) throw new Error(`Cannot ${operation}: ${answer.status} ${await answer.text()}`)
}

export interface StreamBooks {
  readonly accepted: number
  readonly delivered: number
  readonly pending: number
}

interface StreamStatus {
  readonly Books: {
    readonly Accepted: number
    readonly Delivered: number
    readonly Pending: number
  }
  readonly Delivery: { readonly LastFailure?: object }
}

/** @throws when a delivery has failed, for then nothing is measured */
export async function booksOf(port: number, name: string): Promise<StreamBooks> {
  const status = (await getJson(port, `/streams/${name}`, undefined)) as StreamStatus
  const { Books: books, Delivery: delivery } = status
  if (delivery.LastFailure) throw new Error(`Cannot drain: ${JSON.stringify(delivery.LastFailure)}`)
  return { accepted: books.Accepted, delivered: books.Delivered, pending: books.Pending }
}
