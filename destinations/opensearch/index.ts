import type { JsonObject } from '../../src/base/json.ts'
import type { DestinationType } from '../../src/destination.ts'
import { deliveryBuffering } from '../../src/objects/delivery-configuration.ts'
import type { OpenSearchConfiguration } from './configuration.ts'
import { createConfiguration, describeConfiguration, updateConfiguration } from './configuration.ts'
import { OpenSearchDestination } from './destination.ts'
import type { DocumentsTarget } from './document-outputs.ts'
import type { Variant } from './variant.ts'
import { VARIANTS } from './variant.ts'

export const openSearch: readonly DestinationType[] = VARIANTS.map(typeOf)

function typeOf(variant: Variant): DestinationType {
  return {
    name: variant.name,
    metric: variant.metric,
    configurationMembers: [variant.configurationMember],
    updateMembers: [variant.updateMember],
    create: (_member, configuration, context) =>
      createConfiguration(variant, configuration, context),
    update: (current, _member, update, context) =>
      updateConfiguration(variant, current, update, context),
    describe: (stored: JsonObject) => describeConfiguration(variant, stored),
    buffering: (stored) => deliveryBuffering(stored as OpenSearchConfiguration),
    recordTarget: (target, recordId) => {
      const { documentIds } = target as DocumentsTarget
      return documentIds === 'FIREHOSE_DEFAULT' ? { _id: recordId } : {}
    },
    open: (context) => new OpenSearchDestination(variant, context),
  }
}
