/**
 * AWS's model of the Firehose API: what each input may hold. The JSON beside is generated from the
 * service model that AWS publishes (botocore, firehose/2015-08-04); nothing in it is ours. What is
 * (extensions.ts) is added here.
 */
import { strict as assert } from 'node:assert'
import { NEW_MEMBERS, NEW_SCALARS, NEW_STRUCTURES } from './extensions.ts'
import constraints from './firehose-constraints.json' with { type: 'json' }

export interface StructureShape {
  readonly type: 'structure'
  readonly required: ReadonlySet<string>
  /** Names of shapes by member. */
  readonly members: ReadonlyMap<string, string>
}

export interface ListShape {
  readonly type: 'list'
  readonly min?: number
  readonly max?: number
  /** Name of the elements' shape. */
  readonly member: string
}

export interface MapShape {
  readonly type: 'map'
  readonly key: string
  readonly value: string
}

export interface ScalarShape {
  readonly type: 'string' | 'integer' | 'double' | 'boolean' | 'timestamp' | 'blob'
  /** Of a number its range, of a string or blob its length. */
  readonly min?: number
  readonly max?: number
  readonly pattern?: string
  readonly enum?: readonly string[]
  readonly sensitive?: boolean
}

export type Shape = StructureShape | ListShape | MapShape | ScalarShape

interface Model {
  readonly targetPrefix: string
  readonly operations: Record<string, { readonly in: string }>
  readonly structures: Record<
    string,
    { readonly required: readonly string[]; readonly members: Record<string, string> }
  >
  readonly scalars: Record<string, ListShape | MapShape | ScalarShape>
}

// The types that TypeScript infers from the file are one per entry; this is what they have in common.
const model = constraints as unknown as Model

/** Before the dot of X-Amz-Target. */
export const TARGET_PREFIX = model.targetPrefix

/** Name of the input's shape by operation. */
export const OPERATION_INPUTS: ReadonlyMap<string, string> = new Map(
  Object.entries(model.operations).map(([name, operation]) => [name, operation.in]),
)

const SHAPES: ReadonlyMap<string, Shape> = new Map<string, Shape>([
  ...Object.entries({ ...model.scalars, ...NEW_SCALARS }),
  ...Object.entries({ ...model.structures, ...NEW_STRUCTURES }).map(
    ([name, { required, members }]): [string, Shape] => [
      name,
      {
        type: 'structure',
        required: new Set(required),
        members: new Map(Object.entries({ ...members, ...NEW_MEMBERS[name] })),
      },
    ],
  ),
])

export function shapeOf(name: string): Shape {
  const shape = SHAPES.get(name)
  assert(shape !== undefined, `the model has no shape ${name}`)
  return shape
}

/** Names of members anywhere in the model whose values AWS marks as sensitive. */
export function sensitiveMembers(): ReadonlySet<string> {
  const structures = [...SHAPES.values()].filter((shape) => shape.type === 'structure')
  const members = structures.flatMap((structure) => [...structure.members])
  return new Set(members.filter(([, name]) => isSensitive(shapeOf(name))).map(([member]) => member))
}

function isSensitive(shape: Shape): boolean {
  return 'sensitive' in shape && shape.sensitive
}
