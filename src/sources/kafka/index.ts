import type { SourceType } from '../../source.ts'

export const kafkaSource: SourceType = {
  name: 'MSKAsSource',
  configurationMember: 'MSKSourceConfiguration',
  create: () => ({}),
  describe: () => ({}),
  open: () => Promise.reject(new Error('not built yet')),
}
