/**
 * Finds what answers to a function's ARN, in this order:
 *
 * 1. what the settings' mapping has for the ARN, for the ARN without version or alias, or for the
 *    function's name: the path of a module, a URL, `lambda`, or the ARN of another function on Lambda;
 * 2. the module of the directory that has the function's name;
 * 3. Lambda: at the endpoint of the settings, else AWS.
 */
import { dirname, relative, resolve, sep } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { ConfigurationError } from '../destination.ts'
import { InvocationError } from '../functions.ts'
import type { FunctionLease, Functions } from '../functions.ts'
import { functionError } from './deadline.ts'
import type { Generation } from './generation.ts'
import { HttpFunctions, reasonOf, tryToConnect } from './http-function.ts'
import { parseLambdaArn } from './lambda-arn.ts'
import type { LambdaArn } from './lambda-arn.ts'
import { LambdaFunctions } from './lambda-functions.ts'
import { ModuleFolder, moduleOfFunction } from './module-folder.ts'

export interface FunctionDirectoryOptions {
  /** Need not be there. */
  readonly directory: string
  readonly mapping: Readonly<Record<string, string>>
  readonly lambda: { readonly endpoint?: string | undefined; readonly region: string }
  /** Of one invocation, wherever the function is. */
  readonly timeoutMs: number
  /** What a thread of a module may hold. */
  readonly memoryMB: number
  readonly clock: Clock
  readonly logger: Logger
}

/** What answers to an ARN. */
type Answerer =
  | { readonly kind: 'module'; readonly path: string; readonly generation: Generation }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'lambda'; readonly target: LambdaArn }

type ModuleAnswerer = Extract<Answerer, { kind: 'module' }>

const MAPPED_TO_LAMBDA = 'lambda'

export class FunctionDirectory implements Functions {
  readonly #options: FunctionDirectoryOptions
  readonly #root: string
  /** By path: the directory's, and those of mapped modules elsewhere. */
  readonly #folders = new Map<string, ModuleFolder>()
  readonly #http: HttpFunctions
  readonly #lambda: LambdaFunctions

  constructor(options: FunctionDirectoryOptions) {
    const { directory, lambda, timeoutMs, clock } = options
    this.#options = options
    this.#root = resolve(directory)
    this.#http = new HttpFunctions({ timeoutMs, clock })
    this.#lambda = new LambdaFunctions({ ...lambda, timeoutMs, clock })
  }

  async find(arn: string): Promise<string> {
    const parsed = parseLambdaArn(arn)
    if (parsed === undefined) {
      throw new ConfigurationError(`Cannot use ${arn}: it is not the ARN of a Lambda function`)
    }
    const answerer = await this.#answererOf(parsed).catch((cause: Error) => {
      throw new ConfigurationError(`Cannot use ${arn}: ${cause.message}`, { cause })
    })
    if (answerer.kind === 'module') return this.#findModule(parsed, answerer)
    if (answerer.kind === 'url') return await this.#findUrl(parsed, answerer.url)
    return await this.#findLambda(parsed, answerer.target)
  }

  async lease(arn: string): Promise<FunctionLease> {
    const parsed = parseLambdaArn(arn)
    if (parsed === undefined) throw notFound(`${arn} is not the ARN of a Lambda function`)
    const answerer = await this.#answererOf(parsed).catch((cause: Error) => {
      throw functionError('Runtime.ImportError', cause.message, cause)
    })
    if (answerer.kind === 'module') return this.#leaseModule(parsed, answerer)
    const invoke: FunctionLease['invoke'] =
      answerer.kind === 'url'
        ? (event, signal) => this.#http.invoke(answerer.url, event, signal)
        : (event, signal) => this.#lambda.invoke(answerer.target, event, signal)
    return { invoke, release: () => {} }
  }

  async close(): Promise<void> {
    const folders = [...this.#folders.values()]
    await Promise.all(folders.map((folder) => folder.close()))
    await Promise.all([this.#http.close(), this.#lambda.close()])
  }

  /** @throws the system's error when modules can't be read */
  async #answererOf(arn: LambdaArn): Promise<Answerer> {
    const mapped = this.#mapped(arn)
    if (mapped === MAPPED_TO_LAMBDA) return { kind: 'lambda', target: arn }
    if (mapped !== undefined) {
      if (/^https?:\/\//.test(mapped)) return { kind: 'url', url: mapped }
      const target = parseLambdaArn(mapped)
      if (target !== undefined) return { kind: 'lambda', target }
      const path = resolve(this.#root, mapped)
      return { kind: 'module', path, generation: await this.#folderOf(path).current() }
    }
    const generation = await this.#folder(this.#root).current()
    const path = moduleOfFunction(this.#root, arn.functionName, generation)
    if (path === undefined) return { kind: 'lambda', target: arn }
    return { kind: 'module', path, generation }
  }

  #mapped({ arn, unqualified, functionName }: LambdaArn): string | undefined {
    const { mapping } = this.#options
    const key = [arn, unqualified, functionName].find((name) => Object.hasOwn(mapping, name))
    return key === undefined ? undefined : mapping[key]
  }

  #findModule({ arn }: LambdaArn, { path, generation }: ModuleAnswerer): string {
    if (generation.has(path)) return `module ${this.#shown(path)}`
    throw new ConfigurationError(
      `Cannot use ${arn}: the setting functions maps it to ${this.#shown(path)}, which is not there`,
    )
  }

  async #findUrl({ arn }: LambdaArn, url: string): Promise<string> {
    try {
      await tryToConnect(url, this.#options.clock)
      return url
    } catch (error) {
      throw new ConfigurationError(
        `Cannot use ${arn}: the setting functions maps it to ${url}, where nothing answers: ${reasonOf(error)}`,
        { cause: error },
      )
    }
  }

  async #findLambda({ arn, functionName }: LambdaArn, target: LambdaArn): Promise<string> {
    try {
      await this.#lambda.find(target)
      return `${target.arn} at ${this.#lambda.place}`
    } catch (error) {
      throw new ConfigurationError(
        `Cannot use ${arn}: nothing answers to it. Name a module or URL for it in the setting functions, ` +
          `put a module ${functionName}.ts or .js into ${this.#options.directory}, ` +
          `or have it at ${this.#lambda.place}: ${reasonOf(error)}`,
        { cause: error },
      )
    }
  }

  #leaseModule(arn: LambdaArn, { path, generation }: ModuleAnswerer): FunctionLease {
    if (generation.has(path)) return generation.lease(path, arn)
    throw notFound(`${this.#shown(path)} is not there`)
  }

  /** The directory, for what is in it, however deep; else the module's own folder. */
  #folderOf(path: string): ModuleFolder {
    return this.#folder(path.startsWith(this.#root + sep) ? this.#root : dirname(path))
  }

  #folder(root: string): ModuleFolder {
    const known = this.#folders.get(root)
    if (known !== undefined) return known
    const { timeoutMs, memoryMB, clock, logger } = this.#options
    const folder = new ModuleFolder(root, { limits: { timeoutMs, memoryMB }, clock, logger })
    this.#folders.set(root, folder)
    return folder
  }

  #shown(path: string): string {
    const inside = relative(this.#root, path)
    return inside.startsWith('..')
      ? path
      : `${this.#options.directory.replace(/\/$/, '')}/${inside}`
  }
}

function notFound(reason: string): InvocationError {
  return new InvocationError('Lambda.ResourceNotFound', `Cannot find the function: ${reason}`)
}
