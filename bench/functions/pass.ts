/** Gives each record back as it came: what is measured is the way there and back. */
export async function handler(event: { records: { recordId: string; data: string }[] }) {
  return { records: event.records.map(({ recordId, data }) => ({ recordId, result: 'Ok', data })) }
}
