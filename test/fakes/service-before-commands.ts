/** A service that only writes down what a command asks it, and answers as it is told. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Json, JsonObject } from '../../src/base/json.ts'
import type { Command } from '../../src/cli/command.ts'

export interface Call {
  /** The operation's name, or method and path. */
  readonly name: string
  readonly body: JsonObject
}
export type Answer = (call: Call) => { status?: number; body: Json }

export async function fakeService(
  answer: Answer,
): Promise<AsyncDisposable & { url: string; calls: Call[] }> {
  const calls: Call[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const target = request.headers['x-amz-target']
      const name = typeof target === 'string' ? target.split('.')[1] : undefined
      const call = {
        name: name ?? `${request.method} ${request.url}`,
        body: JSON.parse(Buffer.concat(chunks).toString() || '{}') as JsonObject,
      }
      calls.push(call)
      const { status = 200, body } = answer(call)
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' })
      response.end(JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export function run(
  command: Command,
  endpoint: string,
  positionals: string[],
  flags: Record<string, unknown> = {},
): Promise<number> {
  return command.run({ flags: { endpoint, ...flags }, positionals, environment: {} })
}
