import { mapData } from './firehose-caller.ts'
import type { ClientKind, Input } from './firehose-caller.ts'
import { built } from './install.ts'
import { LineCaller } from './line-caller.ts'

/** These take minutes to compile the first time: they are for CI, or STANDPIPE_TEST_CLIENTS=all. */
export const compiledClientsWanted =
  process.env['CI'] !== undefined || process.env['STANDPIPE_TEST_CLIENTS'] === 'all'

/** Typed clients take record data as bytes, which in JSON are base64. */
const encode = (input: Input): unknown =>
  mapData(input, (text) => Buffer.from(text).toString('base64'))

export const goSdk: ClientKind = {
  name: 'aws-sdk-go-v2',
  async install() {
    const folder = await built('go', (output) => [['go', 'build', '-o', `${output}/client`, '.']])
    if (folder === undefined) return undefined
    return (connection) => new LineCaller([`${folder}/client`], connection, encode)
  },
}

export const javaSdk: ClientKind = {
  name: 'AWS SDK for Java 2',
  async install() {
    const folder = await built('java', (output) => [
      ['mvn', '-B', '-q', 'dependency:copy-dependencies', `-DoutputDirectory=${output}`],
      ['javac', '-d', output, '-cp', `${output}/*`, 'Caller.java'],
    ])
    if (folder === undefined) return undefined
    const command = ['java', '-cp', `${folder}:${folder}/*`, 'Caller'] as const
    return (connection) => new LineCaller([...command], connection, encode)
  },
}

export const rustSdk: ClientKind = {
  name: 'aws-sdk-firehose for Rust',
  async install() {
    const folder = await built('rust', (output) => [
      ['cargo', 'build', '--quiet', '--locked', '--target-dir', output],
    ])
    if (folder === undefined) return undefined
    return (connection) => new LineCaller([`${folder}/debug/client`], connection, encode)
  },
}
