/**
 * The configuration of a MongoDB destination, in the manner of Firehose's own. The connection string
 * says where the servers are and holds nothing secret: user, password and certificates come from the
 * connections or the secret. Of its options it may have those that say how to find and address the
 * servers; what a write must come to is the destination's to say.
 */
import type { JsonObject } from '../../src/base/json.ts'
import type { ConfigurationContext } from '../../src/destination.ts'
import { ConfigurationError } from '../../src/destination.ts'
import type {
  DeliveryConfiguration,
  DeliveryRules,
} from '../../src/objects/delivery-configuration.ts'
import {
  createDelivery,
  describeDelivery,
  updateDelivery,
} from '../../src/objects/delivery-configuration.ts'
import { recordDelimiter } from '../../src/processors/processing-configuration.ts'

/** As stored. */
export type MongoDBConfiguration = DeliveryConfiguration & {
  readonly ConnectionString: string
  readonly DatabaseName: string
  readonly CollectionName: string
}

export const DELIVERY_RULES: DeliveryRules = {
  sizeInMBs: { default: 5, max: 64 },
  intervalInSeconds: { default: 60, max: 900 },
  retrySeconds: 300,
  backupModes: ['FailedDataOnly', 'AllData'],
}

const CONNECTION_STRING = /^mongodb(?:\+srv)?:\/\/([^/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/
const CONNECTION_OPTIONS = [
  'authMechanism',
  'authSource',
  'compressors',
  'directConnection',
  'loadBalanced',
  'replicaSet',
  'retryWrites',
  'ssl',
  'tls',
]
/** Those that take no more than a name, a password and a certificate. */
const AUTH_MECHANISMS = ['MONGODB-X509', 'PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256']

/** @throws ConfigurationError */
export function createConfiguration(given: JsonObject, context: ConfigurationContext): JsonObject {
  return checked(createDelivery(given, DELIVERY_RULES, context), context)
}

/**
 * The stored configuration itself when nothing changes.
 * @throws ConfigurationError
 */
export function updateConfiguration(
  stored: JsonObject,
  given: JsonObject,
  context: ConfigurationContext,
): JsonObject {
  return checked(updateDelivery(stored, given, DELIVERY_RULES, context), context)
}

/** Members of DestinationDescription. */
export function describeConfiguration(stored: JsonObject): JsonObject {
  return { MongoDBDestinationDescription: describeDelivery(stored, []) }
}

function checked(stored: JsonObject, { strictAws }: ConfigurationContext): JsonObject {
  const { ConnectionString, ProcessingConfiguration } = stored as MongoDBConfiguration
  if (strictAws) {
    throw new ConfigurationError('MongoDB is no destination of AWS, and strictAws is set')
  }
  checkConnectionString(ConnectionString)
  if (recordDelimiter(ProcessingConfiguration) !== undefined) {
    throw new ConfigurationError(
      'The processor AppendDelimiterToRecord is not supported: documents have no delimiter',
    )
  }
  return stored
}

/** Messages tell nothing of what may be a password. */
function checkConnectionString(text: string): void {
  const [whole, hosts = '', , query = ''] = CONNECTION_STRING.exec(text) ?? []
  if (text.includes('@')) {
    throw new ConfigurationError(
      'ConnectionString must not hold a user name or password: give them in the connections ' +
        'of the settings or in SecretsManagerConfiguration',
    )
  }
  if (whole === undefined || hosts.split(',').includes('')) {
    throw new ConfigurationError('ConnectionString must be mongodb://host,…/?option=value&…')
  }
  for (const [option, value] of new URLSearchParams(query)) {
    if (!CONNECTION_OPTIONS.includes(option)) {
      throw new ConfigurationError(
        `ConnectionString: the option ${option} is not supported, only ${CONNECTION_OPTIONS.join(', ')}`,
      )
    }
    if (option === 'authMechanism' && !AUTH_MECHANISMS.includes(value)) {
      throw new ConfigurationError(
        `ConnectionString: authMechanism must be one of ${AUTH_MECHANISMS.join(', ')}`,
      )
    }
  }
}
