/**
 * One request from its headers to its answer:
 *
 *   refuse web pages ▸ route ▸ length ▸ claimed signature ▸ body ▸ signature ▸ authorize ▸ act
 *
 * Each step refuses as early as it can: a stranger's body is never held, an unauthorized caller
 * learns nothing of streams or inputs, and nothing takes effect before all of it has passed.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { BackendUnavailable } from '../backend.ts'
import type { JsonObject } from '../base/json.ts'
import type { AccessKeys } from './access-keys.ts'
import { errorAnswer, jsonAnswer, publicError, routeAnswer, send } from './answer.ts'
import type { Answer } from './answer.ts'
import { makeAuditEvent } from './audit.ts'
import type { AuditTrail } from './audit.ts'
import { Authorizer } from './authorization.ts'
import { BearerToken } from './bearer-token.ts'
import { BodyBudget, BodyReader, declaredLength, RequestAborted } from './body.ts'
import type { ApiContext } from './context.ts'
import { ApiError } from './exceptions.ts'
import { parseJsonBody } from './json-body.ts'
import { JsonProtocol } from './json-protocol.ts'
import type { Caller, OperationTable, Route } from './operation.ts'
import { Router } from './router.ts'
import type { MatchedRoute } from './router.ts'
import type { ClaimedSignature } from './signature-verifier.ts'
import type { SignableRequest } from './sigv4.ts'
import { makeUuid } from '../base/uuid.ts'
import { refuseWebPages } from './web-pages.ts'

const MIB = 1024 * 1024

export interface RequestHandlerOptions {
  readonly context: ApiContext
  readonly operations: OperationTable
  readonly routes: readonly Route[]
  /** Undefined: everybody may do everything. */
  readonly accessKeys: AccessKeys | undefined
  /** Host names that are answered without access keys, besides localhost and addresses. */
  readonly allowedHosts: readonly string[] | 'any'
  /** Opens routes that take it, as `Authorization: Bearer …`. */
  readonly metricsToken: string | undefined
  readonly audit: AuditTrail
  readonly limits?: Partial<BodyLimits>
}

export interface BodyLimits {
  /** Of `POST /`. The largest legal one is a batch of 4 MiB in base64, 5.6 MB. */
  readonly bodyBytesMax: number
  /** Of all bodies at the same time. */
  readonly bodyBytesTotalMax: number
}

const LIMITS_DEFAULT: BodyLimits = { bodyBytesMax: 8 * MIB, bodyBytesTotalMax: 128 * MIB }

/** Where a request goes: the JSON protocol at `POST /`, or a route. */
type Destination = 'json protocol' | MatchedRoute

/** Who the headers say is calling; a signature is still to be held against the body. */
type Claim = ClaimedSignature | Pick<ClaimedSignature, 'accessKeyId'>

export class RequestHandler {
  readonly #context: ApiContext
  readonly #accessKeys: AccessKeys | undefined
  readonly #allowedHosts: ReadonlySet<string> | 'any'
  readonly #metricsToken: BearerToken | undefined
  readonly #audit: AuditTrail
  readonly #limits: BodyLimits
  readonly #budget: BodyBudget
  readonly #router: Router
  readonly #authorizer: Authorizer
  readonly #protocol: JsonProtocol

  constructor(options: RequestHandlerOptions) {
    const { context, operations, routes, accessKeys, allowedHosts, audit, limits } = options
    this.#context = context
    this.#accessKeys = accessKeys
    this.#allowedHosts =
      allowedHosts === 'any' ? 'any' : new Set(allowedHosts.map((host) => host.toLowerCase()))
    this.#metricsToken =
      options.metricsToken === undefined ? undefined : new BearerToken(options.metricsToken)
    this.#audit = audit
    this.#limits = { ...LIMITS_DEFAULT, ...limits }
    this.#budget = new BodyBudget(this.#limits.bodyBytesTotalMax)
    this.#router = new Router(routes)
    this.#authorizer = new Authorizer(accessKeys, context)
    this.#protocol = new JsonProtocol({ operations, context, authorizer: this.#authorizer, audit })
  }

  /**
   * Answers one request. Never rejects.
   * @param options.close end the connection after the answer
   * @param options.awaitsContinue the client sends its body once told to (Expect: 100-continue)
   */
  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    options: { readonly close: () => boolean; readonly awaitsContinue: boolean },
  ): Promise<void> {
    const requestId = makeUuid(this.#context.clock)
    const reader = new BodyReader(this.#budget, this.#context.buffers)
    let invited = !options.awaitsContinue
    const invite = (): void => {
      if (!invited) response.writeContinue()
      invited = true
    }
    const answer = await this.#answer(request, requestId, reader, invite).catch((error: unknown) =>
      this.#answerError(error, requestId, errorAnswer),
    )
    // A client that was not invited may send its body or not: the next request can't be found.
    const close = options.close() || !invited
    if (answer !== undefined) send(response, answer, requestId, { close })
    reader.release()
  }

  #answerError(
    error: unknown,
    requestId: string,
    answerTo: (error: unknown) => Answer,
  ): Answer | undefined {
    const { logger } = this.#context
    if (error instanceof RequestAborted) {
      logger.debug({ requestId, error }, 'Client went away; nothing was done.')
      return undefined
    }
    if (error instanceof BackendUnavailable) {
      const reason = error.message
      logger.warn({ requestId, reason }, 'A request was put off.')
    } else if (!(error instanceof ApiError)) {
      logger.error({ requestId, error }, 'Request failed.')
    }
    return answerTo(error)
  }

  async #answer(
    request: IncomingMessage,
    requestId: string,
    reader: BodyReader,
    invite: () => void,
  ): Promise<Answer | undefined> {
    if (this.#accessKeys === undefined) refuseWebPages(request, this.#allowedHosts)
    const signable = signableOf(request)
    const destination = this.#destinationOf(signable)
    const answering = this.#serve(destination, signable, request, requestId, reader, invite)
    if (destination === 'json protocol' || destination.route.refuse === undefined) {
      return await answering
    }
    const { route } = destination
    return await answering.catch((error: unknown) =>
      this.#answerError(error, requestId, (cause) => this.#refusal(route, cause, request)),
    )
  }

  /** An error as the route's own callers understand it. */
  #refusal(route: Route, error: unknown, { headers }: IncomingMessage): Answer {
    const refused = publicError(error)
    const reply = route.refuse?.(refused, headers, this.#context)
    return reply === undefined ? errorAnswer(refused) : routeAnswer(reply)
  }

  async #serve(
    destination: Destination,
    signable: SignableRequest,
    request: IncomingMessage,
    requestId: string,
    reader: BodyReader,
    invite: () => void,
  ): Promise<Answer> {
    const bytesMax =
      destination === 'json protocol' ? this.#limits.bodyBytesMax : destination.route.bodyBytesMax
    const lengthBytes = declaredLength(request, bytesMax)
    const claimed = this.#readClaim(destination, signable)
    invite()
    const body = await reader.read(request, lengthBytes, bytesMax)
    if (claimed !== undefined && 'signature' in claimed) {
      this.#accessKeys?.signatures.verify(signable, claimed, body)
    }
    const caller = this.#callerOf(request, claimed, requestId)
    if (destination === 'json protocol') {
      const target = request.headers['x-amz-target']
      return jsonAnswer(await this.#protocol.call(target?.toString(), body, caller))
    }
    return await this.#callRoute(destination, request, signable, body, caller)
  }

  #destinationOf({ method, path, headers }: SignableRequest): Destination {
    if (method === 'POST' && path === '/') return 'json protocol'
    const { route, parameters } = this.#router.match(method, path)
    const isOpened =
      route.takesMetricsToken === true && this.#metricsToken?.isIn(headers.authorization) === true
    return { route: isOpened ? { ...route, action: undefined } : route, parameters }
  }

  /** Undefined where nobody need say who he is. */
  #readClaim(destination: Destination, signable: SignableRequest): Claim | undefined {
    const keys = this.#accessKeys
    if (keys === undefined || destination === 'json protocol') {
      return keys?.signatures.readClaim(signable)
    }
    const { action, takesEndpointKey } = destination.route
    if (action === undefined) return undefined
    const { authorization, 'x-amz-firehose-access-key': endpointKey } = signable.headers
    if (takesEndpointKey === true && authorization === undefined && endpointKey !== undefined) {
      return { accessKeyId: keys.identify(endpointKey.toString()) }
    }
    return keys.signatures.readClaim(signable)
  }

  #callerOf(request: IncomingMessage, claimed: Claim | undefined, requestId: string): Caller {
    const accessKeyId = claimed?.accessKeyId
    return {
      accessKeyId,
      arn: `arn:aws:iam::${this.#context.accountId}:user/${accessKeyId ?? 'anonymous'}`,
      sourceAddress: request.socket.remoteAddress ?? '',
      userAgent: request.headers['user-agent'] ?? '',
      requestId,
    }
  }

  async #callRoute(
    { route, parameters }: MatchedRoute,
    request: IncomingMessage,
    { query }: SignableRequest,
    body: Buffer,
    caller: Caller,
  ): Promise<Answer> {
    let outcome: JsonObject | Error = {}
    const authorize = (action: string, streamName: string): void =>
      this.#authorizer.authorizeAction(caller, `standpipe:${action}`, streamName)
    try {
      if (route.action !== undefined) {
        const action = `${route.actionPrefix ?? 'standpipe'}:${route.action}`
        this.#authorizer.authorizeAction(caller, action, parameters.get('name'))
      }
      const routeRequest = {
        parameters,
        query: new URLSearchParams(query),
        body,
        caller,
        authorize,
      }
      const reply = await route.handle({ ...routeRequest, headers: request.headers }, this.#context)
      return routeAnswer(reply)
    } catch (error) {
      outcome = error instanceof Error ? error : new Error(String(error))
      throw error
    } finally {
      if (route.audited)
        this.#recordRoute(
          route,
          { ...auditedBody(body), ...Object.fromEntries(parameters) },
          caller,
          outcome,
        )
    }
  }

  #recordRoute(route: Route, input: JsonObject, caller: Caller, outcome: JsonObject | Error): void {
    const eventName = route.action ?? `${route.method} ${route.path}`
    const call = { caller, eventName, eventSource: 'standpipe', input, outcome }
    this.#audit.record(makeAuditEvent(call, this.#context))
  }
}

/** What can't be read was refused, and is left out. */
function auditedBody(body: Buffer): JsonObject {
  try {
    return parseJsonBody(body)
  } catch {
    return {}
  }
}

function signableOf({ method = '', url = '', headers }: IncomingMessage): SignableRequest {
  const questionMark = url.indexOf('?')
  const path = questionMark === -1 ? url : url.slice(0, questionMark)
  const query = questionMark === -1 ? '' : url.slice(questionMark + 1)
  return { method, path, query, headers }
}
