import type { DestinationType } from '../../src/destination.ts'
import type { RedshiftConfiguration } from './configuration.ts'
import {
  bufferingLimits,
  createConfiguration,
  describeConfiguration,
  updateConfiguration,
} from './configuration.ts'
import { RedshiftDestination } from './destination.ts'

export const redshift: DestinationType = {
  name: 'Redshift',
  metric: 'DeliveryToRedshift',
  configurationMembers: ['RedshiftDestinationConfiguration'],
  updateMembers: ['RedshiftDestinationUpdate'],
  create: (_member, configuration, context) => createConfiguration(configuration, context),
  update: (current, _member, update, context) =>
    updateConfiguration(current as RedshiftConfiguration, update, context),
  describe: (stored) => describeConfiguration(stored as RedshiftConfiguration),
  buffering: (stored) => bufferingLimits(stored as RedshiftConfiguration),
  open: (context) => new RedshiftDestination(context),
}
