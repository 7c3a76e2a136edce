import { expect, test } from 'vitest'
import { compilePolicy } from './policy.ts'
import type { PolicyRequest } from './policy.ts'
import { PolicyError } from './policy-error.ts'

const LOGS = 'arn:aws:firehose:us-east-1:000000000000:deliverystream/logs'
const AUDIT = 'arn:aws:firehose:us-east-1:000000000000:deliverystream/audit'

interface Facts {
  readonly action?: string
  readonly resource?: string
  readonly requestTags?: Record<string, string>
  readonly tagKeys?: readonly string[]
  readonly resourceTags?: Record<string, string>
}

function request(facts: Facts = {}): PolicyRequest {
  return {
    action: facts.action ?? 'firehose:PutRecord',
    resource: facts.resource ?? LOGS,
    requestTags: new Map(Object.entries(facts.requestTags ?? {})),
    tagKeys: facts.tagKeys ?? [],
    resourceTags: new Map(Object.entries(facts.resourceTags ?? {})),
  }
}

const ALLOW_ALL = { Effect: 'Allow', Action: 'firehose:*', Resource: '*' }

function decisions(statements: readonly unknown[], facts: readonly Facts[]): readonly string[] {
  const policy = compilePolicy(statements)
  return facts.map((each) => policy(request(each)))
}

test('nothing is allowed unless a statement says so', () => {
  expect(decisions([], [{}])).toEqual(['not allowed'])
})

test('actions match with wildcards and without regard to case', () => {
  const statement = { ...ALLOW_ALL, Action: ['FIREHOSE:put*', 'firehose:?escribeDeliveryStream'] }
  const actions = ['PutRecord', 'PutRecordBatch', 'DescribeDeliveryStream', 'DeleteDeliveryStream']
  expect(
    decisions(
      [statement],
      actions.map((name) => ({ action: `firehose:${name}` })),
    ),
  ).toEqual(['allowed', 'allowed', 'allowed', 'not allowed'])
})

test('resources match whole, with wildcards, and with regard to case', () => {
  const statement = { ...ALLOW_ALL, Resource: 'arn:aws:firehose:*:*:deliverystream/lo?s' }
  const resources = [LOGS, AUDIT, `${LOGS}-2`, LOGS.toUpperCase(), '*']
  expect(
    decisions(
      [statement],
      resources.map((resource) => ({ resource })),
    ),
  ).toEqual(['allowed', 'not allowed', 'not allowed', 'not allowed', 'not allowed'])
})

test('characters of expressions mean themselves', () => {
  const statement = { ...ALLOW_ALL, Resource: 'arn:aws:firehose:us.east.1:(x|y):[a]+' }
  expect(decisions([statement], [{ resource: 'arn:aws:firehose:us-east-1:x:a' }])).toEqual([
    'not allowed',
  ])
})

test('an explicit deny wins', () => {
  const deny = { Effect: 'Deny', Action: 'firehose:Delete*', Resource: AUDIT }
  const action = 'firehose:DeleteDeliveryStream'
  expect(
    decisions(
      [deny, ALLOW_ALL],
      [
        { action, resource: AUDIT },
        { action, resource: LOGS },
      ],
    ),
  ).toEqual(['denied explicitly', 'allowed'])
})

test.each<[string, object, readonly Facts[], readonly boolean[]]>([
  [
    'StringEquals',
    { StringEquals: { 'aws:ResourceTag/team': ['red', 'blue'] } },
    [
      { resourceTags: { team: 'red' } },
      { resourceTags: { team: 'blue' } },
      { resourceTags: { team: 'Red' } },
      {},
    ],
    [true, true, false, false],
  ],
  [
    'StringNotEquals, which holds when there is no such tag',
    { StringNotEquals: { 'aws:ResourceTag/team': ['red', 'blue'] } },
    [{ resourceTags: { team: 'red' } }, { resourceTags: { team: 'green' } }, {}],
    [false, true, true],
  ],
  [
    'StringEqualsIgnoreCase',
    { StringEqualsIgnoreCase: { 'aws:RequestTag/team': 'red' } },
    [{ requestTags: { team: 'RED' } }, { requestTags: { team: 'blue' } }],
    [true, false],
  ],
  [
    'StringLike',
    { StringLike: { 'aws:RequestTag/team': 'red-*' } },
    [{ requestTags: { team: 'red-1' } }, { requestTags: { team: 'red' } }],
    [true, false],
  ],
  [
    'IfExists',
    { StringEqualsIfExists: { 'aws:RequestTag/team': 'red' } },
    [{}, { requestTags: { team: 'red' } }, { requestTags: { team: 'blue' } }],
    [true, true, false],
  ],
  [
    'ForAllValues, which holds for no keys',
    { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['team', 'cost'] } },
    [{ tagKeys: [] }, { tagKeys: ['team'] }, { tagKeys: ['team', 'other'] }],
    [true, true, false],
  ],
  [
    'ForAnyValue, which fails for no keys',
    { 'ForAnyValue:StringLike': { 'aws:TagKeys': 'te*' } },
    [{ tagKeys: [] }, { tagKeys: ['other', 'team'] }, { tagKeys: ['other'] }],
    [false, true, false],
  ],
  [
    'all of several',
    {
      StringEquals: { 'aws:ResourceTag/team': 'red', 'aws:RequestTag/team': 'red' },
      StringNotEquals: { 'aws:ResourceTag/stage': 'live' },
    },
    [
      { resourceTags: { team: 'red' }, requestTags: { team: 'red' } },
      { resourceTags: { team: 'red' } },
      { resourceTags: { team: 'red', stage: 'live' }, requestTags: { team: 'red' } },
    ],
    [true, false, false],
  ],
  [
    'keys in any case',
    { StringEquals: { 'AWS:resourcetag/Team': 'red' } },
    [{ resourceTags: { team: 'red' } }],
    [true],
  ],
])('conditions: %s', (_, Condition, facts, expected) => {
  expect(decisions([{ ...ALLOW_ALL, Condition }], facts)).toEqual(
    expected.map((allowed) => (allowed ? 'allowed' : 'not allowed')),
  )
})

test.each<[string, object]>([
  ['an operator of IAM that is not here', { Condition: { IpAddress: { 'aws:SourceIp': '::1' } } }],
  ['an inherited name as operator', { Condition: { constructor: { 'aws:TagKeys': 'x' } } }],
  ['a key of IAM that is not here', { Condition: { StringEquals: { 'aws:username': 'x' } } }],
  ['a tag condition without a tag', { Condition: { StringEquals: { 'aws:RequestTag/': 'x' } } }],
  ['aws:TagKeys without a quantifier', { Condition: { StringEquals: { 'aws:TagKeys': 'x' } } }],
  [
    'a quantifier for a key with one value',
    { Condition: { 'ForAllValues:StringEquals': { 'aws:RequestTag/a': 'x' } } },
  ],
  ['a policy variable', { Resource: 'arn:aws:firehose:*:*:deliverystream/${aws:username}' }],
  ['an action that no operation has', { Action: 'firehose:PutRecrod' }],
  ["another service's action", { Action: 's3:PutObject' }],
  ['a resource that is no ARN', { Resource: 'logs' }],
  ['NotAction', { NotAction: 'firehose:PutRecord' }],
  ['a Principal', { Principal: '*' }],
  ['another effect', { Effect: 'allow' }],
  ['no actions', { Action: [] }],
])('refuses %s when loading', (_, members) => {
  expect(() => compilePolicy([{ ...ALLOW_ALL, ...members }])).toThrow(PolicyError)
})

test("actions of Standpipe's own are taken", () => {
  const statement = { ...ALLOW_ALL, Action: 'standpipe:Flush*' }
  expect(decisions([statement], [{ action: 'standpipe:FlushDeliveryStream' }])).toEqual(['allowed'])
})
