import { CLIENT_HELP, CLIENT_OPTIONS, withClient } from './client.ts'
import { printJson, takePositionals } from './command.ts'
import type { Command } from './command.ts'
import { EXIT } from './exit-code.ts'

export const receipt: Command = {
  usage: 'receipt <RecordId>',
  summary: 'tell where a record is, or where it went',
  help: `Answers for a record by the RecordId that its put returned: still buffered; waiting or parked, with
the reason and the time of the next attempt; or delivered, and then where: object, index and _id,
table, request. Prints JSON.
${CLIENT_HELP}`,
  options: CLIENT_OPTIONS,
  async run(invocation) {
    const [recordId] = takePositionals(invocation, ['the RecordId'])
    return withClient(invocation, async (client) => {
      printJson(await client.call('GET', `/receipts/${encodeURIComponent(recordId)}`))
      return EXIT.ok
    })
  },
}
