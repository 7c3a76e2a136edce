/** What is posted: HTTP endpoint and Splunk, each before a process that does the least (receiver.ts). */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request } from 'undici'
import type { JsonObject } from '../../src/base/json.ts'
import { BufferingHints, S3Configuration } from './destination-bench.ts'
import type { DestinationBench, DestinationPlan } from './destination-bench.ts'

const RECORD_COUNT = 200_000
const CHANNEL = randomUUID()
const RECEIVER = new URL('../receiver.ts', import.meta.url).pathname

type Post = (path: string, body: Buffer, headers?: Record<string, string>) => Promise<JsonObject>

export const httpEndpoint: DestinationPlan = {
  name: 'HTTP endpoint',
  recordCount: RECORD_COUNT,
  needs: 'nothing',
  open: () =>
    openReceiver((origin, post) => ({
      stream: {
        HttpEndpointDestinationConfiguration: {
          EndpointConfiguration: { Url: `${origin}/` },
          BufferingHints,
          S3Configuration,
        },
      },
      bareSends: async (batches) =>
        batches.map((batch) => {
          const requestId = randomUUID()
          const records = batch.map((record) => ({ data: record.toString('base64') }))
          const body = Buffer.from(JSON.stringify({ requestId, timestamp: 0, records }))
          return async () => {
            const answer = await post('/', body, { 'X-Amz-Firehose-Request-Id': requestId })
            if (answer['requestId'] !== requestId) throw new Error('Cannot post by itself')
          }
        }),
    })),
}

export const splunk: DestinationPlan = {
  name: 'Splunk',
  recordCount: RECORD_COUNT,
  needs: 'nothing',
  open: () =>
    openReceiver((origin, post) => ({
      stream: {
        SplunkDestinationConfiguration: {
          HECEndpoint: origin,
          HECEndpointType: 'Raw',
          HECToken: 'bench',
          BufferingHints,
          S3Configuration,
        },
      },
      bareSends: async (batches) =>
        batches.map((batch) => {
          const body = Buffer.concat(batch)
          return async () => {
            const { ackId } = await post(`/services/collector/raw?channel=${CHANNEL}`, body)
            const question = Buffer.from(JSON.stringify({ acks: [ackId] }))
            const { acks } = await post('/services/collector/ack', question)
            if (acks === undefined) throw new Error('Cannot post by itself')
          }
        }),
    })),
}

async function openReceiver(
  benchOf: (origin: string, post: Post) => Pick<DestinationBench, 'stream' | 'bareSends'>,
): Promise<DestinationBench> {
  const server = spawn(process.execPath, [RECEIVER], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(server.stdout, 'data')) as [Buffer]
  const origin = `http://127.0.0.1:${Number(line.toString())}`
  const dispatcher = new Agent()
  const post: Post = async (path, body, headers = {}) => {
    const options = { dispatcher, method: 'POST', headers, body } as const
    const answer = await request(`${origin}${path}`, options)
    return (await answer.body.json()) as JsonObject
  }
  return {
    ...benchOf(origin, post),
    async [Symbol.asyncDispose]() {
      await dispatcher.close()
      server.kill('SIGKILL')
    },
  }
}
