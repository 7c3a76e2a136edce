import { expect, test } from 'vitest'
import { Ledger } from './ledger.ts'

test('the ledger finds what is lost, doubled, refused or made up, and accepts the open ones', () => {
  const ledger = new Ledger()
  for (const id of ['kept', 'lost', 'doubled']) ledger.acknowledge(id, `record-${id}`)
  ledger.refuse('refused')
  ledger.refuse('refused and gone')
  for (const id of ['open', 'open and gone', 'open twice']) ledger.leaveOpen(id)

  const delivered = ['kept', 'doubled', 'doubled', 'refused', 'open', 'open twice', 'open twice']
  expect(ledger.findings([...delivered, 'made up'])).toEqual([
    { id: 'lost', problem: 'lost' },
    { id: 'doubled', problem: 'doubled' },
    { id: 'refused', problem: 'refused but delivered' },
    { id: 'open twice', problem: 'doubled' },
    { id: 'made up', problem: 'never sent' },
  ])
})
