/** Hive's types, as a Glue table's columns have them, e.g. `struct<a:int,b:array<decimal(10,2)>>`. */
import type { TableSchema } from '../../table-schema.ts'

/** A table that can't be converted to; it is an operator's to mend. */
export class InvalidSchema extends Error {
  override readonly name = 'InvalidSchema'
}

export type HiveType =
  | { readonly kind: SimpleKind }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'varchar' | 'char'; readonly length: number }
  | { readonly kind: 'array'; readonly element: HiveType }
  | { readonly kind: 'map'; readonly key: HiveType; readonly value: HiveType }
  | { readonly kind: 'struct'; readonly fields: readonly HiveField[] }

export interface HiveField {
  readonly name: string
  readonly type: HiveType
}

/**
 * A table's columns, their types read.
 * @throws InvalidSchema
 */
export function tableFields({ columns, tableName }: TableSchema): readonly HiveField[] {
  if (columns.length === 0) throw new InvalidSchema(`The table ${tableName} has no columns`)
  const names = columns.map(({ name }) => name.toLowerCase())
  const repeated = names.find((name, index) => names.indexOf(name) !== index)
  if (repeated !== undefined) {
    throw new InvalidSchema(`The table ${tableName} has the column ${repeated} twice`)
  }
  return columns.map(({ name, type }) => ({ name, type: parseHiveType(type) }))
}

/** Whether any type in it, or it itself, is of one of the kinds. */
export function contains(type: HiveType, kinds: readonly HiveType['kind'][]): boolean {
  if (kinds.includes(type.kind)) return true
  if (type.kind === 'array') return contains(type.element, kinds)
  if (type.kind === 'map') return contains(type.key, kinds) || contains(type.value, kinds)
  return type.kind === 'struct' && type.fields.some((field) => contains(field.type, kinds))
}

export type SimpleKind = (typeof SIMPLE_KINDS)[number]

const SIMPLE_KINDS = [
  'boolean',
  'tinyint',
  'smallint',
  'int',
  'bigint',
  'float',
  'double',
  'string',
  'binary',
  'date',
  'timestamp',
] as const

/** What the text of a JSON key can't stand for. */
const NO_KEYS: readonly HiveType['kind'][] = ['array', 'map', 'struct', 'binary']
const NESTING_MAX = 64
const LENGTH_MAX = { varchar: 65_535, char: 255 }
const PRECISION_MAX = 38

/** @throws InvalidSchema */
export function parseHiveType(text: string): HiveType {
  return new TypeParser(text).parse()
}

class TypeParser {
  readonly #text: string
  /** Names, numbers and signs; spaces mean nothing. */
  readonly #words: readonly string[]
  #next = 0

  constructor(text: string) {
    this.#text = text
    this.#words = text.match(/`[^`]*`|[^\s<>(),:`]+|[<>(),:`]/g) ?? []
  }

  parse(): HiveType {
    const type = this.#type(0)
    if (this.#next < this.#words.length) this.#refuse(`'${this.#words[this.#next]}' is too much`)
    return type
  }

  #type(depth: number): HiveType {
    if (depth > NESTING_MAX) this.#refuse(`it is nested deeper than ${NESTING_MAX} levels`)
    const name = this.#word().toLowerCase()
    const simple = SIMPLE_KINDS.find((kind) => kind === (name === 'integer' ? 'int' : name))
    if (simple !== undefined) return { kind: simple }
    switch (name) {
      case 'decimal':
      case 'numeric':
        return this.#decimal()
      case 'varchar':
      case 'char': {
        const [length = 1] = this.#numbers()
        if (length < 1 || length > LENGTH_MAX[name]) this.#refuse(`no ${name} has length ${length}`)
        return { kind: name, length }
      }
      case 'array': {
        const [element] = this.#between(() => this.#type(depth + 1), 1)
        return { kind: 'array', element: element as HiveType }
      }
      case 'map': {
        const [key, value] = this.#between(() => this.#type(depth + 1), 2) as [HiveType, HiveType]
        if (NO_KEYS.includes(key.kind)) {
          this.#refuse(`a map's key can't be ${key.kind}`)
        }
        return { kind: 'map', key, value }
      }
      case 'struct':
        return { kind: 'struct', fields: this.#fields(depth) }
      default:
        return this.#refuse(`'${name}' is not supported`)
    }
  }

  #decimal(): HiveType {
    const [precision = 10, scale = 0] = this.#peek('(') ? this.#numbers() : []
    if (precision < 1 || precision > PRECISION_MAX || scale > precision) {
      this.#refuse(`no decimal has precision ${precision} and scale ${scale}`)
    }
    return { kind: 'decimal', precision, scale }
  }

  #fields(depth: number): readonly HiveField[] {
    const fields = this.#between(() => {
      const name = this.#word().replaceAll('`', '')
      this.#expect(':')
      return { name, type: this.#type(depth + 1) }
    })
    const names = fields.map(({ name }) => name.toLowerCase())
    const wrong = names.find((name, index) => names.indexOf(name) !== index)
    if (wrong !== undefined) this.#refuse(`'${wrong}' is there twice`)
    // Structs are built as objects, whose prototype it would be.
    if (names.includes('__proto__')) this.#refuse(`a field can't be named '__proto__'`)
    return fields
  }

  #between<Item>(item: () => Item, count?: number): readonly Item[] {
    const items: Item[] = []
    this.#expect('<')
    do items.push(item())
    while (this.#take(','))
    this.#expect('>')
    if (count !== undefined && items.length !== count) {
      this.#refuse(`there must be ${count} between < and >`)
    }
    return items
  }

  #numbers(): readonly number[] {
    const numbers: number[] = []
    this.#expect('(')
    do {
      const word = this.#word()
      if (!/^\d{1,5}$/.test(word)) this.#refuse(`'${word}' is no number`)
      numbers.push(Number(word))
    } while (this.#take(','))
    this.#expect(')')
    return numbers
  }

  #peek(sign: string): boolean {
    return this.#words[this.#next] === sign
  }

  #take(sign: string): boolean {
    if (!this.#peek(sign)) return false
    this.#next += 1
    return true
  }

  #expect(sign: string): void {
    if (!this.#take(sign)) this.#refuse(`'${sign}' is missing`)
  }

  #word(): string {
    const word = this.#words[this.#next]
    if (word === undefined || /^[<>(),:]$/.test(word)) return this.#refuse('a name is missing')
    this.#next += 1
    return word
  }

  #refuse(reason: string): never {
    throw new InvalidSchema(`Cannot use the type ${this.#text}: ${reason}`)
  }
}
