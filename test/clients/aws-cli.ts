import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { JsonObject } from '../../src/base/json.ts'
import { mapData } from './firehose-caller.ts'
import type { ClientKind, Connection, FirehoseCaller, Input, Outcome } from './firehose-caller.ts'
import { awsEnvironment, pythonPackage } from './install.ts'

const run = promisify(execFile)
/** `An error occurred (ResourceInUseException) when calling the CreateDeliveryStream operation: …` */
const ERROR = /An error occurred \((\w+)\) when calling the \w+ operation[^:]*: (.*)/s

/** Encodes record data itself: JSON input holds the text. */
export const awsCli1: ClientKind = {
  name: 'AWS CLI 1',
  async install() {
    const bin = await pythonPackage('awscli', '1.46.3')
    if (bin === undefined) return undefined
    return (connection) => new AwsCliCaller(`${bin}/aws`, connection, (text) => text)
  },
}

/** Takes record data as base64. From Debian's package `awscli`. */
export const awsCli2: ClientKind = {
  name: 'AWS CLI 2',
  async install() {
    for (const path of ['/usr/bin/aws', '/usr/local/bin/aws']) {
      const { stdout } = await run(path, ['--version']).catch(() => ({ stdout: '' }))
      if (!stdout.startsWith('aws-cli/2.')) continue
      return (connection) =>
        new AwsCliCaller(path, connection, (text) => Buffer.from(text).toString('base64'))
    }
    return undefined
  },
}

class AwsCliCaller implements FirehoseCaller {
  readonly #path: string
  readonly #url: string
  readonly #environment: Record<string, string>
  readonly #encodeData: (text: string) => string

  constructor(path: string, connection: Connection, encodeData: (text: string) => string) {
    this.#path = path
    this.#url = connection.url
    this.#environment = { ...awsEnvironment(connection), AWS_PAGER: '' }
    this.#encodeData = encodeData
  }

  async call(operation: string, input: Input): Promise<Outcome> {
    const folder = await mkdtemp(join(tmpdir(), 'standpipe-cli-'))
    const inputFile = join(folder, 'input.json')
    await writeFile(inputFile, JSON.stringify(mapData(input, this.#encodeData)))
    const command = operation.replaceAll(/(?<!^)[A-Z]/g, '-$&').toLowerCase()
    const parameters = ['firehose', command, '--cli-input-json', `file://${inputFile}`]
    parameters.push('--endpoint-url', this.#url, '--output', 'json')
    try {
      const { stdout } = await run(this.#path, parameters, { env: this.#environment })
      return { output: (stdout.trim() === '' ? {} : JSON.parse(stdout)) as JsonObject }
    } catch (error) {
      const [, errorType, message] = ERROR.exec((error as { stderr?: string }).stderr ?? '') ?? []
      if (errorType === undefined || message === undefined) throw error
      return { errorType, message: message.trim() }
    } finally {
      await rm(folder, { recursive: true })
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }
}
