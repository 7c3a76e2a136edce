import type { JsonObject } from '../base/json.ts'
import { checkFormatConversion } from '../processors/conversion/format-conversion.ts'
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
  if (plan?.conversion !== undefined) await checkFormatConversion(plan.conversion, tables)
}
