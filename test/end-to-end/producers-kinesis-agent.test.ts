/** The Kinesis Agent's sender, on the AWS SDK for Java 1, against the real process. */
import { expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { installKinesisAgent } from '../producers/kinesis-agent.ts'
import { declaredStreams, delivered, startFull } from '../producers/service.ts'
import { Service } from './harness.ts'

const KEY = { accessKeyId: 'AKIDKINESISAGENT', secretAccessKey: 'agent/secret+' }
const ENVIRONMENT = {
  STANDPIPE_ACCESS_KEYS: `${KEY.accessKeyId}:${KEY.secretAccessKey}`,
  ...declaredStreams('logs'),
}
const open = await installKinesisAgent()
const present = available('the AWS SDK for Java 1', open !== undefined)

test.runIf(present)('a refused batch is kept whole, and all lines arrive once each', async () => {
  const lines = Array.from({ length: 700 }, (_, index) => `line ${index} of äccess.log\n`)
  const [first, second] = [lines.slice(0, 200), lines.slice(200)]
  await using full = await startFull(ENVIRONMENT)
  {
    await using agent = open!({ url: full.url, ...KEY })
    const refused = { errorType: 'ServiceUnavailableException' }
    expect(await agent.send('logs', first)).toMatchObject(refused)
  }
  await full.kill()

  await using service = await Service.start({ environment: ENVIRONMENT, dataDir: full.dataDir })
  await using agent = open!({ url: service.url, ...KEY })
  expect(await agent.send('logs', first)).toEqual({ output: { Kept: [] } })
  expect(await agent.send('logs', second)).toEqual({ output: { Kept: [] } })
  expect(await delivered(service, 'logs', lines.join(''))).toBe(lines.join(''))
})
