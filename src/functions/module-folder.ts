/** A folder of modules that is looked at for changes whenever a function is wanted. */
import { basename, dirname, extname } from 'node:path'
import { Generation } from './generation.ts'
import type { FunctionRuntime } from './generation.ts'
import { CODE_FILES_MAX, listCode, readCode, signatureOf } from './module-code.ts'

/** In the order in which they are looked for. */
const FUNCTION_EXTENSIONS = ['.ts', '.mts', '.js', '.mjs']

export class ModuleFolder {
  readonly #root: string
  readonly #runtime: FunctionRuntime
  readonly #generations = new Set<Generation>()
  #newest: { readonly signature: string; readonly generation: Generation } | undefined
  #look: Promise<Generation> | undefined

  /** @param root absolute path; it need not be there */
  constructor(root: string, runtime: FunctionRuntime) {
    this.#root = root
    this.#runtime = runtime
  }

  /** The code as it is now. A lease of it is to be taken at once, before somebody looks again. */
  async current(): Promise<Generation> {
    this.#look ??= this.#lookForChanges().finally(() => (this.#look = undefined))
    return await this.#look
  }

  async close(): Promise<void> {
    // What goes wrong is told to whoever wanted the function.
    await this.#look?.catch(() => {})
    await Promise.all([...this.#generations].map((generation) => generation.close()))
  }

  async #lookForChanges(): Promise<Generation> {
    const files = await listCode(this.#root)
    const signature = signatureOf(files)
    if (this.#newest?.signature === signature) return this.#newest.generation
    const { logger } = this.#runtime
    const fields = { directory: this.#root, fileCount: files.length }
    if (files.length === CODE_FILES_MAX) {
      logger.warn(fields, 'Of so many files of functions no more are looked at for changes.')
    }
    const generation = new Generation(files, await readCode(files), this.#runtime)
    this.#generations.add(generation)
    void generation.ended.then(() => this.#generations.delete(generation))
    if (this.#newest !== undefined) {
      logger.info(
        fields,
        'The code of functions has changed; batches under way end on the old one.',
      )
      this.#newest.generation.retire()
    }
    this.#newest = { signature, generation }
    return generation
  }
}

/** Path of the module that a function of this name has in the folder itself. */
export function moduleOfFunction(
  root: string,
  functionName: string,
  { files }: Pick<Generation, 'files'>,
): string | undefined {
  return FUNCTION_EXTENSIONS.flatMap((extension) =>
    files.filter(({ path }) => {
      return (
        dirname(path) === root &&
        extname(path) === extension &&
        basename(path, extension) === functionName
      )
    }),
  )[0]?.path
}
