import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { JsonObject } from '../../src/base/json.ts'
import { findProgram } from './install.ts'
import { freePort, startProcess, stopProcess } from './process.ts'

/** An OpenSearch server without security, for as long as it isn't disposed of. */
export interface OpenSearchServer extends AsyncDisposable {
  readonly endpoint: string
  readonly port: number
  /** Any request to it; resolves with the JSON of the answer. */
  call(method: string, path: string, body?: object): Promise<JsonObject>
  /** All documents of the indices that the pattern names. */
  documents(indices: string): Promise<readonly StoredDocument[]>
}

export interface StoredDocument {
  readonly _index: string
  readonly _id: string
  readonly _source: JsonObject
}

type SearchPage = JsonObject & {
  readonly _scroll_id: string
  readonly hits: { readonly hits: readonly StoredDocument[] }
}

const run = promisify(execFile)
const JARS = fileURLToPath(new URL('../../.cache/opensearch-2.19.1', import.meta.url))
const PROJECT = fileURLToPath(new URL('opensearch/pom.xml', import.meta.url))
const PROGRAM = fileURLToPath(new URL('opensearch/OpenSearchNode.java', import.meta.url))
const JAVA_OPTIONS = ['-Xms256m', '-Xmx384m', '-XX:+UseSerialGC', '-Dlog4j2.level=ERROR']
const READY_MS_MAX = 60_000
/** The most that a search gives. */
const PAGE_SIZE = 10_000

/**
 * Whether there is a server to start: the one at TEST_OPENSEARCH_URL, or a node of our own from jars
 * of Maven Central, fetched into .cache/ by whoever needs it first. It takes a JDK of version 17 or
 * later.
 */
export async function installOpenSearch(): Promise<boolean> {
  if (externalUrl() !== undefined) return true
  if (findProgram('java') === undefined) return false
  if (existsSync(JARS)) return true
  if (findProgram('mvn') === undefined) return false
  // Fetched aside and moved, so that a download that was cut short is never taken for the server.
  const fetching = `${JARS}-${process.pid}`
  try {
    await mkdir(fetching, { recursive: true })
    await run('mvn', [
      '-B',
      '-q',
      '-f',
      PROJECT,
      'dependency:copy-dependencies',
      `-DoutputDirectory=${fetching}`,
    ])
    await rename(fetching, JARS)
    return true
  } catch (error) {
    await rm(fetching, { recursive: true, force: true })
    console.warn(`Cannot install OpenSearch: ${String(error)}`)
    return false
  }
}

/** @param settings of a node of our own, as `name=value` */
export async function startOpenSearch(...settings: readonly string[]): Promise<OpenSearchServer> {
  const external = externalUrl()
  if (external !== undefined && settings.length === 0) {
    return serverOf(external, () => Promise.resolve())
  }
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'opensearch-'))
  const child = await startProcess(
    ['java', ...JAVA_OPTIONS, '-cp', `${JARS}/*`, PROGRAM, String(port), 'data', ...settings],
    { port, folder, environment: {} },
  )
  const server = serverOf(`http://127.0.0.1:${port}`, async () => {
    await stopProcess(child)
    await rm(folder, { recursive: true, force: true })
  })
  await untilReady(server)
  return server
}

function externalUrl(): string | undefined {
  return process.env['TEST_OPENSEARCH_URL']
}

function serverOf(endpoint: string, stop: () => Promise<void>): OpenSearchServer {
  const call: OpenSearchServer['call'] = async (method, path, body) => {
    const response = await fetch(`${endpoint}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return (await response.json()) as JsonObject
  }
  return {
    endpoint,
    port: Number(new URL(endpoint).port),
    call,
    documents: (indices) => allDocuments(call, indices),
    [Symbol.asyncDispose]: stop,
  }
}

async function allDocuments(
  call: OpenSearchServer['call'],
  indices: string,
): Promise<readonly StoredDocument[]> {
  await call('POST', `/${indices}/_refresh`)
  const documents: StoredDocument[] = []
  let page = await call('POST', `/${indices}/_search?scroll=1m`, { size: PAGE_SIZE })
  for (;;) {
    const { _scroll_id: scroll_id, hits } = page as SearchPage
    documents.push(...hits.hits)
    if (hits.hits.length < PAGE_SIZE) return documents
    page = await call('POST', '/_search/scroll', { scroll: '1m', scroll_id })
  }
}

/** It listens before it has elected itself. */
async function untilReady(server: OpenSearchServer): Promise<void> {
  const deadlineMs = performance.now() + READY_MS_MAX
  const path = '/_cluster/health?wait_for_status=yellow&timeout=5s'
  while ((await server.call('GET', path)).timed_out !== false) {
    if (performance.now() > deadlineMs) throw new Error('Cannot start OpenSearch: not ready')
    await sleep(100)
  }
}
