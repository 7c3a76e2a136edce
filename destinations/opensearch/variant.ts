/**
 * Firehose's three names for one protocol: an OpenSearch domain, an Elasticsearch domain and an
 * OpenSearch Serverless collection take the same bulk requests. What differs is written here.
 */
export interface Variant {
  readonly name: string
  readonly metric: string
  readonly configurationMember: string
  readonly updateMember: string
  readonly descriptionMember: string
  /** The member that says where the cluster is. */
  readonly endpointMember: 'ClusterEndpoint' | 'CollectionEndpoint'
  /** Whether it has IndexRotationPeriod, TypeName and DocumentIdOptions. */
  readonly hasIndexOptions: boolean
  readonly errorOutputType: string
  /** Of the error record's members, e.g. `esDocumentId`. */
  readonly errorMemberPrefix: 'es' | 'os'
}

export const VARIANTS: readonly Variant[] = [
  {
    name: 'AmazonOpenSearchService',
    metric: 'DeliveryToAmazonOpenSearchService',
    configurationMember: 'AmazonopensearchserviceDestinationConfiguration',
    updateMember: 'AmazonopensearchserviceDestinationUpdate',
    descriptionMember: 'AmazonopensearchserviceDestinationDescription',
    endpointMember: 'ClusterEndpoint',
    hasIndexOptions: true,
    errorOutputType: 'AmazonOpenSearchService-failed',
    errorMemberPrefix: 'es',
  },
  {
    name: 'Elasticsearch',
    metric: 'DeliveryToElasticsearch',
    configurationMember: 'ElasticsearchDestinationConfiguration',
    updateMember: 'ElasticsearchDestinationUpdate',
    descriptionMember: 'ElasticsearchDestinationDescription',
    endpointMember: 'ClusterEndpoint',
    hasIndexOptions: true,
    errorOutputType: 'elasticsearch-failed',
    errorMemberPrefix: 'es',
  },
  {
    name: 'AmazonOpenSearchServerless',
    metric: 'DeliveryToAmazonOpenSearchServerless',
    configurationMember: 'AmazonOpenSearchServerlessDestinationConfiguration',
    updateMember: 'AmazonOpenSearchServerlessDestinationUpdate',
    descriptionMember: 'AmazonOpenSearchServerlessDestinationDescription',
    endpointMember: 'CollectionEndpoint',
    hasIndexOptions: false,
    // AWS's reference names the same folder for both.
    errorOutputType: 'AmazonOpenSearchService-failed',
    errorMemberPrefix: 'os',
  },
]
