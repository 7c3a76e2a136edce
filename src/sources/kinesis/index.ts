import type { SourceType } from '../../source.ts'

export const kinesisSource: SourceType = {
  name: 'KinesisStreamAsSource',
  configurationMember: 'KinesisStreamSourceConfiguration',
  create: () => ({}),
  describe: () => ({}),
  open: () => Promise.reject(new Error('not built yet')),
}
