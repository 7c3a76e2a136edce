import { Client } from '@opensearch-project/opensearch'
import type { JsonObject } from '../../src/base/json.ts'
import { installOpenSearch, startOpenSearch } from '../../test/servers/opensearch.ts'
import { BufferingHints, S3Configuration } from './destination-bench.ts'
import type { DestinationPlan } from './destination-bench.ts'

const INDEX = 'bench'
/** The node's heap is small, and would refuse what comes side by side. */
const PRESSURE = 'indexing_pressure.memory.limit=40%'
/** Characters, as in a RecordId. */
const ID_LENGTH = 34

export const openSearch: DestinationPlan = {
  name: 'OpenSearch',
  recordCount: 50_000,
  needs: 'a JDK of version 17 or later and Maven',
  async open() {
    if (!(await installOpenSearch())) return undefined
    const server = await startOpenSearch(PRESSURE)
    const client = new Client({ node: server.endpoint })
    let documentCount = 0
    const lines = (record: Buffer): Buffer[] => {
      documentCount += 1
      const _id = String(documentCount).padStart(ID_LENGTH, '0')
      return [Buffer.from(`${JSON.stringify({ create: { _index: INDEX, _id } })}\n`), record]
    }
    return {
      stream: {
        AmazonopensearchserviceDestinationConfiguration: {
          RoleARN: S3Configuration.RoleARN,
          ClusterEndpoint: server.endpoint,
          IndexName: INDEX,
          IndexRotationPeriod: 'NoRotation',
          BufferingHints,
          S3Configuration,
        },
      },
      bareSends: async (batches) =>
        batches.map((batch) => {
          const bulkBody = Buffer.concat(batch.flatMap(lines))
          const querystring = { filter_path: 'errors' }
          const parameters = { method: 'POST', path: '/_bulk', querystring, bulkBody }
          return async () => {
            const { body } = await client.transport.request(parameters)
            if ((body as JsonObject)['errors'] !== false) throw new Error('Cannot index by itself')
          }
        }),
      async [Symbol.asyncDispose]() {
        await client.close()
        await server[Symbol.asyncDispose]()
      },
    }
  },
}
