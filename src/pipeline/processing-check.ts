import type { JsonObject } from '../base/json.ts'
import { ConfigurationError } from '../destination.ts'
import type { ProcessorTools } from '../processors/index.ts'
import { processingPlan } from '../processors/processing-plan.ts'

/**
 * Whether what a destination's configuration names outside of itself is there: its function, its table,
 * its programs. AWS looks last, too, when a stream is made or updated.
 * @throws ConfigurationError
 */
export async function checkProcessing(
  destination: JsonObject,
  { functions, jq, sql, tables }: ProcessorTools,
): Promise<void> {
  const plan = processingPlan(destination)
  if (plan?.lambda !== undefined) await functions.find(plan.lambda.arn)
  if (plan?.sql !== undefined) await sql.check(plan.sql.query)
  if (plan?.metadataExtraction !== undefined) await jq.check(plan.metadataExtraction.query)
  const schema = plan?.conversion?.['SchemaConfiguration']
  if (schema === undefined) return
  try {
    await tables.schema(schema as JsonObject)
  } catch (cause) {
    if (cause instanceof ConfigurationError) throw cause
    throw new ConfigurationError((cause as Error).message, { cause })
  }
}
