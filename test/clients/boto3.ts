import { fileURLToPath } from 'node:url'
import type { ClientKind } from './firehose-caller.ts'
import { pythonPackage } from './install.ts'
import { LineCaller } from './line-caller.ts'

const SCRIPT = fileURLToPath(new URL('boto3_caller.py', import.meta.url))

export const boto3: ClientKind = {
  name: 'boto3',
  async install() {
    const bin = await pythonPackage('boto3', '1.44.5')
    if (bin === undefined) return undefined
    return (connection) => new LineCaller([`${bin}/python`, SCRIPT], connection)
  },
}
