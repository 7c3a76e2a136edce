/**
 * AWS's JSON 1.1 protocol: `POST /`, the operation in X-Amz-Target, a JSON object each way.
 */
import type { JsonObject } from '../base/json.ts'
import { makeAuditEvent } from './audit.ts'
import type { AuditTrail } from './audit.ts'
import type { Authorizer } from './authorization.ts'
import type { ApiContext } from './context.ts'
import { ApiError } from './exceptions.ts'
import { parseJsonBody } from './json-body.ts'
import { TARGET_PREFIX } from './model/model.ts'
import type { Caller, Operation, OperationTable, RawOperation } from './operation.ts'
import { validateInput } from './validation.ts'

export interface JsonProtocolOptions {
  readonly operations: OperationTable
  readonly context: ApiContext
  readonly authorizer: Authorizer
  readonly audit: AuditTrail
}

/** Calls operations for callers who have been authenticated. */
export class JsonProtocol {
  readonly #options: JsonProtocolOptions

  constructor(options: JsonProtocolOptions) {
    this.#options = options
  }

  /**
   * @param target the header X-Amz-Target
   * @returns the answer; a string is JSON already
   * @throws ApiError
   */
  async call(
    target: string | undefined,
    body: Buffer,
    caller: Caller,
  ): Promise<JsonObject | string> {
    const name = operationName(target)
    const operation = this.#options.operations.get(name)
    if (operation === undefined) throw unknownOperation()
    if ('raw' in operation) return await this.#put(name, operation, body, caller)
    return await this.#control(name, operation, body, caller)
  }

  async #put(
    name: string,
    operation: RawOperation,
    body: Buffer,
    caller: Caller,
  ): Promise<JsonObject | string> {
    const { authorizer, context } = this.#options
    const prepared = operation.prepare(body, context)
    authorizer.authorizeAction(caller, `firehose:${name}`, prepared.streamName)
    return await prepared.run()
  }

  async #control(
    name: string,
    operation: Operation,
    body: Buffer,
    caller: Caller,
  ): Promise<JsonObject> {
    const { authorizer, context } = this.#options
    const startMs = context.clock.monotonicMs()
    let input: JsonObject | undefined
    let outcome: JsonObject | Error = new Error('Operation gave no outcome')
    try {
      input = parseJsonBody(body)
      authorizer.authorizeOperation(caller, name, input)
      const known = validateInput(name, input, context.configuration)
      outcome = await operation(known, context, caller)
      return outcome
    } catch (error) {
      outcome = error instanceof Error ? error : new Error(String(error))
      throw error
    } finally {
      this.#account(name, startMs, { caller, input, outcome })
    }
  }

  #account(
    name: string,
    startMs: number,
    call: { caller: Caller; input: JsonObject | undefined; outcome: JsonObject | Error },
  ): void {
    const { audit, context } = this.#options
    const { outcome } = call
    const errorType = outcome instanceof Error ? errorTypeOf(outcome) : ''
    context.metrics.operation(name, context.clock.monotonicMs() - startMs, errorType)
    const event = { ...call, eventName: name, eventSource: 'firehose.amazonaws.com' }
    audit.record(makeAuditEvent(event, context))
  }
}

function operationName(target: string | undefined): string {
  const prefix = `${TARGET_PREFIX}.`
  if (target === undefined || !target.startsWith(prefix)) throw unknownOperation()
  return target.slice(prefix.length)
}

function unknownOperation(): ApiError {
  return new ApiError('UnknownOperationException', 'The requested operation is not known')
}

function errorTypeOf(error: Error): string {
  return error instanceof ApiError ? error.type : 'InternalFailure'
}
