import type { DestinationType } from '../../src/destination.ts'
import { deliveryBuffering } from '../../src/objects/delivery-configuration.ts'
import type { SplunkConfiguration } from './configuration.ts'
import { createConfiguration, describeConfiguration, updateConfiguration } from './configuration.ts'
import { SplunkDestination } from './destination.ts'

export const splunk: DestinationType = {
  name: 'Splunk',
  metric: 'DeliveryToSplunk',
  configurationMembers: ['SplunkDestinationConfiguration'],
  updateMembers: ['SplunkDestinationUpdate'],
  create: (_member, configuration, context) => createConfiguration(configuration, context),
  update: (current, _member, update, context) => updateConfiguration(current, update, context),
  describe: describeConfiguration,
  buffering: (stored) => deliveryBuffering(stored as SplunkConfiguration),
  open: (context) => new SplunkDestination(context),
}
