import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import { sign } from '../src/api/sigv4.ts'

/** Headers of a PutRecordBatch request; signed when there is a key (`id:secret`). */
export function putHeaders(
  port: number,
  accessKey: string | undefined,
  body: Buffer,
): OutgoingHttpHeaders {
  const headers = {
    host: `127.0.0.1:${port}`,
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': 'Firehose_20150804.PutRecordBatch',
  }
  return {
    ...signed('POST', '/', headers, accessKey, body),
    'content-length': body.byteLength,
  }
}

/** Gets one of the service's own routes. */
export async function getJson(
  port: number,
  path: string,
  accessKey: string | undefined,
): Promise<unknown> {
  const answer = await call('GET', port, path, accessKey)
  return answer.json()
}

export async function post(
  port: number,
  path: string,
  accessKey: string | undefined,
): Promise<void> {
  await call('POST', port, path, accessKey)
}

async function call(
  method: string,
  port: number,
  path: string,
  accessKey: string | undefined,
): Promise<Response> {
  const host = `127.0.0.1:${port}`
  const { host: _, ...headers } = signed(method, path, { host }, accessKey, Buffer.alloc(0))
  const answer = await fetch(`http://${host}${path}`, {
    method,
    headers: headers as Record<string, string>,
  })
  if (!answer.ok)
    throw new Error(`Cannot ${method} ${path}: ${answer.status} ${await answer.text()}`)
  return answer
}

function signed(
  method: string,
  path: string,
  headers: IncomingHttpHeaders,
  accessKey: string | undefined,
  body: Buffer,
): IncomingHttpHeaders {
  if (accessKey === undefined) return headers
  const [accessKeyId = '', secretAccessKey = ''] = accessKey.split(':')
  const credentials = { accessKeyId, secretAccessKey, region: 'us-east-1' }
  return sign({ method, path, query: '', headers }, body, credentials, Date.now())
}
