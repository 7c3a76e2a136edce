/**
 * Gives each JSON record the partition keys `customer` and `day`, for a Prefix such as
 * `!{partitionKeyFromLambda:customer}/!{partitionKeyFromLambda:day}/` with dynamic partitioning.
 * Records without a customer go to `unknown`, those that are not JSON fail.
 */

interface Event {
  readonly records: readonly {
    readonly recordId: string
    readonly approximateArrivalTimestamp: number
    readonly data: string
  }[]
}

interface Answer {
  readonly recordId: string
  readonly result: 'Ok' | 'ProcessingFailed'
  readonly data: string
  readonly metadata?: { readonly partitionKeys: Readonly<Record<string, string>> }
}

export async function handler(event: Event): Promise<{ records: Answer[] }> {
  const records = event.records.map(({ recordId, approximateArrivalTimestamp, data }): Answer => {
    try {
      const partitionKeys = {
        customer: customerOf(data),
        day: new Date(approximateArrivalTimestamp).toISOString().slice(0, 10),
      }
      return { recordId, result: 'Ok', data, metadata: { partitionKeys } }
    } catch {
      return { recordId, result: 'ProcessingFailed', data }
    }
  })
  return { records }
}

/** Throws when the data is not JSON. */
function customerOf(data: string): string {
  const record = JSON.parse(Buffer.from(data, 'base64').toString()) as { customer?: unknown } | null
  const customer = record?.customer
  return typeof customer === 'string' && customer !== '' ? customer : 'unknown'
}
