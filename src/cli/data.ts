import { takePositionals, usageError } from './command.ts'
import type { Command } from './command.ts'

export const data: Command = {
  usage: 'data check|show|repair',
  summary: 'look into a data directory',
  help: 'Not there yet.',
  options: {},
  async run(invocation) {
    takePositionals(invocation, [])
    throw usageError('Cannot look into data directories yet')
  },
}
