/**
 * The records of every benchmark: JSON log lines of about 1 KB, made from a seed, with the redundancy
 * of real ones (gzip level 6 packs them about 7 times, level 1 about 5.5 times).
 */
export const RECORDS_PER_REQUEST = 500

/** A small generator (mulberry32) with good enough chance and the same records on each machine. */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const SERVICES = ['checkout', 'catalog', 'payment', 'search', 'session', 'shipping', 'profile']
const PATHS = ['/api/v2/orders', '/api/v2/items', '/api/v2/cart', '/api/v2/users', '/healthz']
const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)',
  'okhttp/4.12.0',
]
const WORDS =
  'basket item price tax total voucher user order stock shelf parcel route invoice refund email page view click search filter result cache miss hit queue retry timeout limit tenant region zone node pod volume token scope grant audit event batch shard offset lag replica leader quorum commit'.split(
    ' ',
  )
const MESSAGES = [
  'request completed',
  'upstream answered slowly, the result was taken from the cache',
  'retrying after a connection reset by peer',
  'rate limit applied to tenant',
]

export function logRecords(count: number, seed = 1): Buffer[] {
  const random = seededRandom(seed)
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('')
  let time = Date.UTC(2026, 10, 21)
  return Array.from({ length: count }, (_, index) => {
    time += Math.floor(random() * 20)
    const service = pick(SERVICES)
    const record = {
      timestamp: new Date(time).toISOString(),
      level: random() < 0.9 ? 'INFO' : 'WARN',
      sequence: index,
      service,
      instance: `${service}-7d9f8b6c5-${hex(5)}`,
      trace_id: hex(32),
      span_id: hex(16),
      message: pick(MESSAGES),
      http: {
        method: pick(['GET', 'POST', 'PUT']),
        path: `${pick(PATHS)}/${Math.floor(random() * 100_000)}`,
        status: pick([200, 200, 200, 201, 304, 404, 500]),
        duration_ms: Math.floor(random() * 900),
        bytes_sent: Math.floor(random() * 60_000),
        user_agent: pick(AGENTS),
        remote_address: `10.${Math.floor(random() * 4)}.${Math.floor(random() * 256)}.17`,
      },
      kubernetes: {
        cluster: 'production-eu-central-1',
        namespace: `team-${pick(['blue', 'green', 'red'])}`,
        node: `ip-10-0-${Math.floor(random() * 16)}-12.eu-central-1.compute.internal`,
        labels: { 'app_kubernetes_io/name': service, 'app_kubernetes_io/part-of': 'webshop' },
      },
      source: {
        file: `src/${service}/handlers/request-handler.ts`,
        function: 'handleRequest',
        logger: `webshop.${service}.http.access`,
      },
      tenant: `tenant-${Math.floor(random() * 400)}`,
      feature_flags: ['new-basket', 'fast-search', 'price-v3'].filter(() => random() < 0.6),
      session: hex(40),
      detail: Array.from({ length: 22 }, () => pick(WORDS)).join(' '),
    }
    return Buffer.from(`${JSON.stringify(record)}\n`)
  })
}

/** PutRecordBatch bodies as SDKs send them, `RECORDS_PER_REQUEST` records each. */
export function putBodies(streamName: string, records: readonly Buffer[]): Buffer[] {
  const bodies: Buffer[] = []
  for (let start = 0; start < records.length; start += RECORDS_PER_REQUEST) {
    const batch = records.slice(start, start + RECORDS_PER_REQUEST)
    const Records = batch.map((record) => ({ Data: record.toString('base64') }))
    bodies.push(Buffer.from(JSON.stringify({ DeliveryStreamName: streamName, Records })))
  }
  return bodies
}

export function meanRecordBytes(): number {
  const records = logRecords(10_000)
  return records.reduce((sum, { byteLength }) => sum + byteLength, 0) / records.length
}
