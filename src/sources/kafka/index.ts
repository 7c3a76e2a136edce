import type { SourceType } from '../../source.ts'
import type { KafkaSourceConfiguration } from './configuration.ts'
import { createConfiguration } from './configuration.ts'

export const kafkaSource: SourceType = {
  name: 'MSKAsSource',
  configurationMember: 'MSKSourceConfiguration',
  create: createConfiguration,
  describe({ ReadFromTimestamp, ...others }) {
    // As AWS: a default is not told. Terraform would plan to replace the stream for it.
    const isDefault = ReadFromTimestamp === others['DeliveryStartTimestamp']
    return { MSKSourceDescription: isDefault ? others : { ...others, ReadFromTimestamp } }
  },
  async open(stream, tools) {
    // The client is loaded by the first stream that needs it.
    const { KafkaSource } = await import('./kafka-source.ts')
    return new KafkaSource(stream.source as KafkaSourceConfiguration, tools)
  },
}
