/** Adds to each JSON record where and when it came through. Records that are no JSON objects fail. */

interface Event {
  readonly region: string
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
}

export async function handler(event: Event): Promise<{ records: Answer[] }> {
  const records = event.records.map(({ recordId, approximateArrivalTimestamp, data }): Answer => {
    const record = parse(data)
    if (record === undefined) return { recordId, result: 'ProcessingFailed', data }
    const enriched = {
      ...record,
      receivedAt: new Date(approximateArrivalTimestamp).toISOString(),
      region: event.region,
    }
    return { recordId, result: 'Ok', data: encode(`${JSON.stringify(enriched)}\n`) }
  })
  return { records }
}

function parse(data: string): object | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(data, 'base64').toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64')
}
