/**
 * bull-board over the queues, for those who want to look: which batches wait, which failed, which are
 * parked. It changes nothing: what it could do to a job, the lanes know nothing of. It has a listener of
 * its own and asks nobody who he is, so it belongs on an address that only operators reach. Its packages are
 * optional; nothing else needs them.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Queue } from 'bullmq'
import type { RedisPlace } from '../../backend.ts'
import type { Logger } from '../../base/logger.ts'
import { connect, disconnect } from '../connection.ts'
import { JOB_PLACES } from './jobs.ts'
import type { Keys } from '../keys.ts'

export interface BullBoardOptions {
  readonly place: RedisPlace
  readonly keys: Keys
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  readonly logger: Logger
  /** For tests. */
  readonly load?: typeof importPackages
}

export interface BullBoard extends AsyncDisposable {
  readonly url: string
}

/** @throws Error when the packages are not installed, or the address can't be had */
export async function openBullBoard(options: BullBoardOptions): Promise<BullBoard> {
  const { place, keys, host, port, logger, load = importPackages } = options
  const packages = await load().catch((cause: unknown) => {
    const names = '@bull-board/api, @bull-board/hono, hono, @hono/node-server'
    throw new Error(`Cannot open bull-board: it needs the packages ${names}`, { cause })
  })
  const { createBullBoard, BullMQAdapter, HonoAdapter, Hono, serve, serveStatic } = packages
  await using resources = new AsyncDisposableStack()
  const client = connect({ place, name: 'bull-board', logger })
  resources.defer(() => disconnect(client))
  const queues = JOB_PLACES.map((name) => {
    const queue = new Queue(name, {
      connection: client,
      prefix: keys.queuePrefix,
      skipVersionCheck: true,
      skipMetasUpdate: true,
    })
    queue.on('error', (error) => logger.debug({ error }, 'bull-board cannot read a queue.'))
    resources.defer(() => queue.close())
    return new BullMQAdapter(queue, { readOnlyMode: true })
  })
  const serverAdapter = new HonoAdapter(serveStatic)
  createBullBoard({ queues, serverAdapter })
  serverAdapter.setBasePath('/')
  const app = new Hono()
  app.use(async (context, next) => {
    const { method } = context.req
    if (method === 'GET' || method === 'HEAD') return await next()
    return context.json({ error: 'Nothing can be changed here' }, 405)
  })
  app.route('/', serverAdapter.registerPlugin())
  const server = serve({ fetch: app.fetch, hostname: host, port })
  resources.defer(() => new Promise<void>((resolve) => void server.close(() => resolve())))
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  const url = `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`
  logger.info({ url }, 'bull-board shows the delivery queue.')
  const owned = resources.move()
  return { url, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function importPackages() {
  const [{ createBullBoard }, { BullMQAdapter }, { HonoAdapter }, { Hono }, server, files] =
    await Promise.all([
      import('@bull-board/api'),
      import('@bull-board/api/bullMQAdapter'),
      import('@bull-board/hono'),
      import('hono'),
      import('@hono/node-server'),
      import('@hono/node-server/serve-static'),
    ])
  const { serve } = server
  const { serveStatic } = files
  return { createBullBoard, BullMQAdapter, HonoAdapter, Hono, serve, serveStatic }
}
