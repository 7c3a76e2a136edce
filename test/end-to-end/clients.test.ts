/** Every AWS client this machine has, through the same scenarios, against the real process. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { awsCli1, awsCli2 } from '../clients/aws-cli.ts'
import { boto3 } from '../clients/boto3.ts'
import { compiledClientsWanted, goSdk, javaSdk, rustSdk } from '../clients/compiled.ts'
import type { Connection, FirehoseCaller } from '../clients/firehose-caller.ts'
import { awsEnvironment } from '../clients/install.ts'
import { javascriptSdk } from '../clients/javascript.ts'
import { available } from '../clients/available.ts'
import { openScenarios, signedScenarios } from './client-scenarios.ts'
import { command, Service } from './harness.ts'

const CLIENT_KINDS = [
  javascriptSdk,
  boto3,
  awsCli1,
  awsCli2,
  ...(compiledClientsWanted ? [goSdk, javaSdk, rustSdk] : []),
]
const KEY = { accessKeyId: 'AKIDSTANDPIPETEST', secretAccessKey: 'a secret/with+odd:characters' }

const installed = await Promise.all(
  CLIENT_KINDS.map(async (kind) => ({ name: kind.name, open: await kind.install() })),
)

describe.each([
  { mode: 'with access keys', accessKeys: `${KEY.accessKeyId}:${KEY.secretAccessKey}` },
  { mode: 'without access keys', accessKeys: undefined },
])('$mode', ({ accessKeys }) => {
  let service: Service
  const callers: FirehoseCaller[] = []

  beforeAll(async () => {
    service = await Service.start({
      environment: {
        STANDPIPE_SSE_KEY: Buffer.alloc(32, 7).toString('base64'),
        ...(accessKeys === undefined ? {} : { STANDPIPE_ACCESS_KEYS: accessKeys }),
      },
    })
  })
  afterAll(async () => {
    await Promise.all(callers.map((caller) => caller[Symbol.asyncDispose]()))
    await service[Symbol.asyncDispose]()
  })

  describe.each(installed)('$name', ({ name, open }) => {
    const present = available(name, open !== undefined)
    const scenarios = accessKeys === undefined ? openScenarios : signedScenarios

    test.runIf(present).for(scenarios)('$name', async (scenario) => {
      const connect = (key: Partial<Connection> = {}): FirehoseCaller => {
        if (open === undefined) throw new Error(`Cannot connect: ${name} is not installed`)
        const caller = open({ url: service.url, ...KEY, ...key })
        callers.push(caller)
        return caller
      }
      const streamName = uniqueName()
      const environment = awsEnvironment({ url: service.url, ...KEY })
      const flush = () => command(['streams', 'flush', streamName], environment)
      await scenario.run({ connect, flush, service, streamName })
      expect.hasAssertions()
    })
  })
})

let lastName = 0
function uniqueName(): string {
  lastName += 1
  return `clients-${lastName}`
}
