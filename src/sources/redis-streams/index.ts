import type { SourceType } from '../../source.ts'

export const redisStreamSource: SourceType = {
  name: 'RedisStreamAsSource',
  configurationMember: 'RedisStreamSourceConfiguration',
  create: () => ({}),
  describe: () => ({}),
  open: () => Promise.reject(new Error('not built yet')),
}
