/**
 * Functions on AWS Lambda, or on what speaks its API at an endpoint. Credentials are those of the AWS
 * SDK's default chain. A client is made for each region when a function there is first wanted.
 */
import type { GetFunctionConfigurationCommandOutput, LambdaClient } from '@aws-sdk/client-lambda'
import type { Clock } from '../base/clock.ts'
import { InvocationError } from '../functions.ts'
import type { FunctionAnswer, TransformationEvent } from '../functions.ts'
import { functionError, withDeadline } from './deadline.ts'
import { errorCodeOf, parseAnswer, reportedError } from './function-answer.ts'
import type { LambdaArn } from './lambda-arn.ts'

const CREDENTIALS_TIMEOUT_MS = 2_000
const FIND_TIMEOUT_MS = 5_000

/** Errors whose status, often 400, does not tell. */
const ERROR_CODES: Readonly<Record<string, string>> = {
  AccessDeniedException: 'Lambda.InvokeAccessDenied',
  ExpiredTokenException: 'Lambda.InvokeAccessDenied',
  InvalidSignatureException: 'Lambda.InvokeAccessDenied',
  UnrecognizedClientException: 'Lambda.InvokeAccessDenied',
  EC2ThrottledException: 'Lambda.InvokeLimitExceeded',
}

/** What the SDK's errors carry. */
interface MetadataBearer {
  readonly $metadata: { readonly httpStatusCode?: number }
}

export interface LambdaFunctionsOptions {
  /** Absent: AWS. */
  readonly endpoint?: string | undefined
  /** For ARNs that name none. */
  readonly region: string
  readonly timeoutMs: number
  readonly clock: Clock
}

export class LambdaFunctions {
  readonly #options: LambdaFunctionsOptions
  /** By region. */
  readonly #clients = new Map<string, Promise<LambdaClient>>()

  constructor(options: LambdaFunctionsOptions) {
    this.#options = options
  }

  /** Where functions are looked for, in words. */
  get place(): string {
    return this.#options.endpoint ?? 'AWS Lambda'
  }

  /**
   * Who may invoke a function need not be allowed to ask about it: then it counts as there.
   * @throws InvocationError when it is not there, or can't be asked for
   */
  async find(arn: LambdaArn): Promise<void> {
    const { GetFunctionConfigurationCommand } = await import('@aws-sdk/client-lambda')
    const signal = new AbortController().signal
    await this.#attempt(arn, FIND_TIMEOUT_MS, signal, async (client, abortSignal) => {
      const command = new GetFunctionConfigurationCommand({ FunctionName: arn.arn })
      return await client.send(command, { abortSignal }).catch(unlessDenied)
    })
  }

  /** @throws InvocationError, or the signal's reason */
  async invoke(
    arn: LambdaArn,
    event: TransformationEvent,
    signal: AbortSignal,
  ): Promise<FunctionAnswer> {
    const { InvokeCommand } = await import('@aws-sdk/client-lambda')
    const { timeoutMs } = this.#options
    return await this.#attempt(arn, timeoutMs, signal, async (client, abortSignal) => {
      const { FunctionError, Payload } = await client.send(
        new InvokeCommand({
          FunctionName: arn.arn,
          InvocationType: 'RequestResponse',
          Payload: Buffer.from(JSON.stringify(event)),
        }),
        { abortSignal },
      )
      const answer = parseAnswer(Payload ?? new Uint8Array())
      if (FunctionError === undefined) return answer
      throw reportedError(answer.value) ?? functionError(FunctionError, 'it says no more')
    })
  }

  async close(): Promise<void> {
    const clients = await Promise.all(this.#clients.values())
    for (const client of clients) client.destroy()
  }

  async #attempt<T>(
    { region }: LambdaArn,
    timeoutMs: number,
    signal: AbortSignal,
    work: (client: LambdaClient, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock } = this.#options
    return await withDeadline({ clock, timeoutMs, signal }, async (ended) => {
      try {
        const client = await this.#client(region || this.#options.region)
        await this.#requireCredentials(client, ended)
        return await work(client, ended)
      } catch (error) {
        if (ended.aborted || error instanceof InvocationError) throw error
        throw invocationError(error)
      }
    })
  }

  /** Where there are none, the chain may look for them on the network, which is not there either. */
  async #requireCredentials(client: LambdaClient, signal: AbortSignal): Promise<void> {
    const deadline = { clock: this.#options.clock, timeoutMs: CREDENTIALS_TIMEOUT_MS, signal }
    await withDeadline(deadline, async (ended) => {
      const { promise: late, reject } = Promise.withResolvers<never>()
      ended.addEventListener('abort', () => reject(new Error('late')))
      await Promise.race([client.config.credentials(), late])
    }).catch((cause: unknown) => {
      const message = 'no AWS credentials were found to ask Lambda for it'
      throw new InvocationError('Lambda.InvokeAccessDenied', message, { cause })
    })
  }

  #client(region: string): Promise<LambdaClient> {
    const known = this.#clients.get(region)
    if (known !== undefined) return known
    const client = openClient(region, this.#options.endpoint)
    this.#clients.set(region, client)
    return client
  }
}

/** Whoever invokes tries again, not the SDK. */
async function openClient(region: string, endpoint: string | undefined): Promise<LambdaClient> {
  const { LambdaClient } = await import('@aws-sdk/client-lambda')
  return new LambdaClient({ region, maxAttempts: 1, ...(endpoint !== undefined && { endpoint }) })
}

function unlessDenied(error: Error): GetFunctionConfigurationCommandOutput | undefined {
  if (error.name === 'AccessDeniedException') return undefined
  throw error
}

function invocationError(error: unknown): InvocationError {
  const { name, message, $metadata } = error as Error & Partial<MetadataBearer>
  const errorCode = ERROR_CODES[name] ?? errorCodeOf($metadata?.httpStatusCode)
  return new InvocationError(errorCode, `${name}: ${message}`, { cause: error })
}
