/** Lets through what matters: drops JSON records of level debug or trace, and keeps all others. */

interface Event {
  readonly records: readonly { readonly recordId: string; readonly data: string }[]
}

interface Answer {
  readonly recordId: string
  readonly result: 'Ok' | 'Dropped'
  readonly data: string
}

const UNWANTED = new Set<unknown>(['debug', 'trace'])

export async function handler(event: Event): Promise<{ records: Answer[] }> {
  const records = event.records.map(({ recordId, data }): Answer => {
    const result = UNWANTED.has(levelOf(data)) ? 'Dropped' : 'Ok'
    return { recordId, result, data }
  })
  return { records }
}

function levelOf(data: string): unknown {
  try {
    const record = JSON.parse(Buffer.from(data, 'base64').toString()) as { level?: unknown } | null
    return record?.level
  } catch {
    return undefined
  }
}
