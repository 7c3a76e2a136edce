import * as sdk from '@aws-sdk/client-firehose'
import type { JsonObject } from '../../src/base/json.ts'
import { mapData } from './firehose-caller.ts'
import type { ClientKind, Connection, FirehoseCaller, Input, Outcome } from './firehose-caller.ts'

export const javascriptSdk: ClientKind = {
  name: '@aws-sdk/client-firehose',
  install: () => Promise.resolve((connection) => new JavascriptCaller(connection)),
}

type AnyCommand = new (input: unknown) => sdk.DescribeDeliveryStreamCommand

class JavascriptCaller implements FirehoseCaller {
  readonly #client: sdk.FirehoseClient

  constructor({ url, accessKeyId, secretAccessKey }: Connection) {
    const credentials = { accessKeyId, secretAccessKey }
    this.#client = new sdk.FirehoseClient({ endpoint: url, region: 'us-east-1', credentials })
  }

  async call(operation: string, input: Input): Promise<Outcome> {
    const Command = (sdk as unknown as Record<string, AnyCommand>)[`${operation}Command`]
    if (Command === undefined) throw new Error(`Cannot call ${operation}: the SDK has no such`)
    try {
      const { $metadata: _, ...output } = await this.#client.send(
        new Command(mapData(input, (text) => Buffer.from(text))),
      )
      return { output: output as unknown as JsonObject }
    } catch (error) {
      if (!(error instanceof sdk.FirehoseServiceException)) throw error
      return { errorType: error.name, message: error.message }
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy()
    return Promise.resolve()
  }
}
