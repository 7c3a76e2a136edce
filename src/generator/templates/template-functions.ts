import { base, en, Faker, generateMersenne53Randomizer } from '@faker-js/faker'
import type { Json } from '../../base/json.ts'
import { drawingFunctions } from './drawing-functions.ts'
import { renamedFunctions } from './renamed-functions.ts'
import { timeFunctions } from './time-functions.ts'
import type { TemplateTime } from './time-functions.ts'

/** Checks its parameters once, and returns what makes the values. Throws for parameters that won't do. */
export type TemplateFunction = (...parameters: Json[]) => () => unknown

/**
 * What placeholders may call: the functions that the Kinesis Data Generator added, those of its old
 * faker by their old names, and those of today's faker.
 */
export class TemplateFunctions {
  readonly #faker: Faker
  readonly #prepared: Readonly<Record<string, TemplateFunction>>
  readonly #renamed: Readonly<Record<string, (parameter: Json | undefined) => unknown>>

  /** @param seed the same calls with the same seed make the same values, but for those that depend on time */
  constructor(seed: number, time: TemplateTime) {
    const randomizer = generateMersenne53Randomizer(seed)
    this.#faker = new Faker({ locale: [en, base], randomizer })
    this.#faker.setDefaultRefDate(() => new Date(time.nowMs()))
    this.#prepared = { ...drawingFunctions(() => randomizer.next()), ...timeFunctions(time) }
    this.#renamed = renamedFunctions(this.#faker)
  }

  find(name: string): TemplateFunction | undefined {
    if (Object.hasOwn(this.#prepared, name)) return this.#prepared[name]
    const renamed = Object.hasOwn(this.#renamed, name) ? this.#renamed[name] : undefined
    if (renamed !== undefined) {
      return (parameter) => () => renamed(parameter)
    }
    const own = this.#ownFunction(name)
    if (own === undefined) return undefined
    return (...parameters) =>
      () =>
        own(...parameters)
  }

  /** All there are, to suggest one of them. */
  names(): string[] {
    const own = modulesOf(this.#faker).flatMap(([module, functions]) =>
      Object.keys(functions).map((name) => `${module}.${name}`),
    )
    const names = [...Object.keys(this.#prepared), ...Object.keys(this.#renamed), ...own]
    return [...new Set(names)].filter((name) => this.find(name) !== undefined)
  }

  #ownFunction(name: string): ((...parameters: Json[]) => unknown) | undefined {
    const [module, functionName = '', ...rest] = name.split('.')
    const functions = modulesOf(this.#faker).find(([key]) => key === module)?.[1]
    if (functions === undefined || rest.length > 0 || !Object.hasOwn(functions, functionName)) {
      return undefined
    }
    const found = functions[functionName]
    return typeof found === 'function' ? (found as (...parameters: Json[]) => unknown) : undefined
  }
}

/** Faker binds the functions of its modules, which makes them members of their own. */
function modulesOf(faker: Faker): [string, Record<string, unknown>][] {
  return Object.entries(faker as unknown as Record<string, unknown>).filter(
    (entry): entry is [string, Record<string, unknown>] =>
      /^[a-z]+$/.test(entry[0]) && typeof entry[1] === 'object' && entry[1] !== null,
  )
}
