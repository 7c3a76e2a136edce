import type { SourceType } from '../../source.ts'
import { createConfiguration, describeConfiguration, readConfiguration } from './configuration.ts'
import { KinesisSource } from './kinesis-source.ts'

export const kinesisSource: SourceType = {
  name: 'KinesisStreamAsSource',
  configurationMember: 'KinesisStreamSourceConfiguration',
  create: createConfiguration,
  describe: describeConfiguration,
  open: ({ source = {} }, tools) =>
    Promise.resolve(new KinesisSource(readConfiguration(source), tools)),
}
