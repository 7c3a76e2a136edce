import type { Connection } from '../clients/firehose-caller.ts'
import { built } from '../clients/install.ts'
import { LineCaller } from '../clients/line-caller.ts'

/** The part of the Kinesis Agent that sends; see kinesis-agent/KinesisAgentSender.java. */
export interface KinesisAgent extends AsyncDisposable {
  /**
   * Puts lines, each with the line feed that the agent leaves at its end. Resolves with the indices of
   * those that it would send again; all of them, after the SDK's own attempts, when the call failed.
   */
  send(streamName: string, lines: readonly string[]): Promise<Sent>
}

export type Sent =
  | { readonly output: { readonly Kept: readonly number[] } }
  | { readonly errorType: string; readonly message: string }

/** Undefined where there is no Java or no Maven; the jars take some seconds the first time. */
export async function installKinesisAgent(): Promise<
  ((connection: Connection) => KinesisAgent) | undefined
> {
  const folder = await built('../producers/kinesis-agent', (output) => [
    ['mvn', '-B', '-q', 'dependency:copy-dependencies', `-DoutputDirectory=${output}`],
    ['javac', '-d', output, '-cp', `${output}/*`, 'KinesisAgentSender.java'],
  ])
  if (folder === undefined) return undefined
  const command = ['java', '-cp', `${folder}:${folder}/*`, 'KinesisAgentSender'] as const
  return (connection) => {
    const program = new LineCaller([...command], connection)
    return {
      send: async (DeliveryStreamName, Lines) =>
        (await program.call('send', { DeliveryStreamName, Lines })) as Sent,
      [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
    }
  }
}
