import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadSettings } from './settings.ts'
import type { LoadedSettings } from './settings.ts'

const directory = mkdtempSync(join(tmpdir(), 'standpipe-settings-'))

function load({
  flags = {},
  environment = {},
  file,
}: {
  flags?: Record<string, string | boolean>
  environment?: Record<string, string>
  file?: string
}): LoadedSettings {
  const workingDirectory = mkdtempSync(join(directory, 'run-'))
  if (file !== undefined) writeFileSync(join(workingDirectory, 'standpipe.yaml'), file)
  return loadSettings({ flags, environment, workingDirectory })
}

function secretFile(content: string): string {
  const path = join(mkdtempSync(join(directory, 'secret-')), 'secret')
  writeFileSync(path, content)
  return path
}

test('nothing set gives the documented first run', () => {
  const { settings, origins } = load({})
  expect(settings).toMatchObject({
    listen: '127.0.0.1:4573',
    dataDir: './data',
    accountId: '000000000000',
    region: 'us-east-1',
    backend: 'embedded',
    accessKeys: [],
    deliveryStreams: [],
  })
  expect(settings).not.toHaveProperty('s3Endpoint')
  expect(new Set([...origins.values()].map(({ kind }) => kind))).toEqual(new Set(['default']))
})

test('a flag beats the environment, which beats the file, which beats the default', () => {
  const { settings, origins } = load({
    flags: { region: 'eu-west-1' },
    environment: { STANDPIPE_REGION: 'eu-west-2', STANDPIPE_WORKERS: '3' },
    file: 'region: eu-west-3\nworkers: 4\ndrainTimeoutMs: 5000\n',
  })
  expect(settings).toMatchObject({ region: 'eu-west-1', workers: 3, drainTimeoutMs: 5000 })
  expect(origins.get('region')).toEqual({ kind: 'flag', place: '--region' })
  expect(origins.get('workers')).toEqual({ kind: 'environment', place: 'STANDPIPE_WORKERS' })
  expect(origins.get('drainTimeoutMs')?.place).toMatch(/standpipe\.yaml$/)
})

test('a file named by --config may be JSON', () => {
  const path = secretFile('{"dataDir": "/srv/standpipe", "strictAws": true}')
  expect(load({ flags: { config: path } }).settings).toMatchObject({
    dataDir: '/srv/standpipe',
    strictAws: true,
  })
})

test('an endpoint of Kinesis is a URL without a path', () => {
  const read = (url: string): unknown =>
    load({ environment: { STANDPIPE_KINESIS_ENDPOINT: url } }).settings.kinesisEndpoint
  expect(read('http://kinesis.lan:4567')).toBe('http://kinesis.lan:4567')
  expect(() => read('http://kinesis.lan:4567/streams')).toThrow(
    'Cannot use STANDPIPE_KINESIS_ENDPOINT: must be URL without a path',
  )
})

test('an empty variable counts as unset', () => {
  expect(load({ environment: { STANDPIPE_S3_ENDPOINT: '' } }).settings).not.toHaveProperty(
    's3Endpoint',
  )
})

test('sizes are read with their unit, from text and from the file', () => {
  const { settings } = load({
    environment: { STANDPIPE_DISK_QUOTA_BYTES: '1.5GiB' },
    file: 'freeBytesMin: 16 MiB\n',
  })
  expect(settings).toMatchObject({ diskQuotaBytes: 1_610_612_736, freeBytesMin: 16_777_216 })
})

test('access keys are read from pairs, from files, and from objects whose secret is elsewhere', () => {
  const pairs = 'AKIDONE:first:with:colons,AKIDTWO:second'
  const expected = [
    { id: 'AKIDONE', secret: 'first:with:colons' },
    { id: 'AKIDTWO', secret: 'second' },
  ]
  expect(load({ environment: { STANDPIPE_ACCESS_KEYS: pairs } }).settings.accessKeys).toEqual(
    expected,
  )
  const environment = {
    STANDPIPE_ACCESS_KEYS_FILE: secretFile('AKIDONE:first:with:colons\nAKIDTWO:second\n'),
  }
  expect(load({ environment }).settings.accessKeys).toEqual(expected)
  const file = `
    accessKeys:
      - { id: AKIDONE, secretEnv: ONE }
      - { id: AKIDTWO, secretFile: ${secretFile('second\n')} }
  `
  expect(load({ file, environment: { ONE: 'first:with:colons' } }).settings.accessKeys).toEqual(
    expected,
  )
})

test('allowed hosts are names between commas, or a list in the file', () => {
  const environment = { STANDPIPE_ALLOWED_HOSTS: 'standpipe, firehose.lan' }
  expect(load({ environment }).settings.allowedHosts).toEqual(['standpipe', 'firehose.lan'])
  const file = 'allowedHosts: [standpipe]\n'
  expect(load({ file }).settings.allowedHosts).toEqual(['standpipe'])
  expect(() => load({ environment: { STANDPIPE_ALLOWED_HOSTS: 'http://standpipe' } })).toThrow(
    /^Cannot use STANDPIPE_ALLOWED_HOSTS: /,
  )
})

test('a metrics token is read from a file, and refused where the metrics are open anyway', () => {
  const environment = { STANDPIPE_METRICS_TOKEN_FILE: secretFile('0123456789abcdef\n') }
  const keys = { STANDPIPE_ACCESS_KEYS: 'AKID:secret' }
  expect(load({ environment: { ...environment, ...keys } }).settings.metricsToken).toBe(
    '0123456789abcdef',
  )
  expect(() => load({ environment })).toThrow(
    'Cannot use metricsToken: without access keys everybody may read the metrics',
  )
})

test('functions are mapped in the file, or by JSON in the environment', () => {
  const arn = 'arn:aws:lambda:us-east-1:000000000000:function:enrich'
  const functions = {
    [`${arn}:live`]: 'lib/enrich.ts',
    redact: 'http://127.0.0.1:9000',
    route: 'lambda',
    filter: arn,
  }
  const environment = {
    STANDPIPE_FUNCTIONS: JSON.stringify(functions),
    STANDPIPE_FUNCTION_MEMORY_MB: '512',
  }
  expect(load({ environment }).settings).toMatchObject({ functions, functionMemoryMB: 512 })
  expect(load({ file: 'functions: { redact: ../redact.mjs }' }).settings.functions).toEqual({
    redact: '../redact.mjs',
  })
  expect(load({}).settings).toMatchObject({ functions: {}, functionsDir: './functions' })
})

test.each([
  ['[]', /: must be an object from ARN or function name to module, URL or lambda$/],
  ['{ a/b: x.ts }', /: "a\/b" is neither the ARN nor the name of a Lambda function$/],
  ['{ a: x.py }', /: "a" must be a module /],
  ['{ a: 1 }', /: "a" must be a module /],
  ['{ a: "http://user:hush@host/" }', /^(?!.*hush).*: "a" must be a module /],
  ['{ a: "ftp://host/x.ts" }', /: "a" must be a module /],
])('functions that cannot be meant are refused: %s', (functions, message) => {
  expect(() => load({ file: `functions: ${functions}` })).toThrow(message)
})

test('delivery streams are declared in CloudFormation shape', () => {
  const file = `
    deliveryStreams:
      - DeliveryStreamName: logs
        ExtendedS3DestinationConfiguration: { BucketARN: 'arn:aws:s3:::logs', RoleARN: r }
  `
  const expected = [
    {
      DeliveryStreamName: 'logs',
      ExtendedS3DestinationConfiguration: { BucketARN: 'arn:aws:s3:::logs', RoleARN: 'r' },
    },
  ]
  expect(load({ file }).settings.deliveryStreams).toEqual(expected)
  const environment = { STANDPIPE_DELIVERY_STREAMS: JSON.stringify(expected) }
  expect(load({ environment }).settings.deliveryStreams).toEqual(expected)
})

test("variables of Docker's and Kubernetes' own are not taken for settings", () => {
  const environment = {
    STANDPIPE_SERVICE_HOST: '10.0.0.1',
    STANDPIPE_SERVICE_PORT_HTTP: '4573',
    STANDPIPE_PORT: 'tcp://10.0.0.1:4573',
    STANDPIPE_PORT_4573_TCP_ADDR: '10.0.0.1',
  }
  expect(load({ environment }).settings.listen).toBe('127.0.0.1:4573')
})

test.each([
  [
    { environment: { STANDPIPE_LISEN: 'x' } },
    'Cannot use STANDPIPE_LISEN: no such setting (did you mean STANDPIPE_LISTEN?)',
  ],
  [{ file: 'datadir: /x' }, /no such setting \(did you mean dataDir\?\)$/],
  [{ file: 'zebra: 1' }, /Cannot use zebra in .*: no such setting$/],
  [{ file: '- 1' }, /must hold settings by name$/],
  [{ file: 'a: [' }, /^Cannot read .*standpipe\.yaml: /],
  [{ file: 'accountId: 000000000012' }, /must be 12 digits, not 12; put it in quotes$/],
  [{ flags: { config: '/none.yaml' } }, /^Cannot read \/none\.yaml: ENOENT/],
  [
    { environment: { STANDPIPE_WORKERS: 'two' } },
    'Cannot use STANDPIPE_WORKERS: must be a whole number, at least 1 and at most 64, not "two"',
  ],
  [
    { flags: { 'log-level': 'loud' } },
    'Cannot use --log-level: must be one of debug, info, warn, error, not "loud"',
  ],
  [
    { environment: { STANDPIPE_DISK_QUOTA_BYTES: 'lots' } },
    /must be a size such as 10GiB, at least 67108864, not "lots"$/,
  ],
  [{ environment: { STANDPIPE_INSECURE_OPEN: 'yes please' } }, /must be true or false/],
  [{ flags: { listen: '4573' } }, 'Cannot use --listen: must be host:port, not "4573"'],
  [{ flags: { listen: '127.0.0.1:99999' } }, /not an address and a port up to 65535$/],
  [
    { environment: { STANDPIPE_ACCESS_KEYS: 'onlyid' } },
    /^Cannot use STANDPIPE_ACCESS_KEYS: 0 must/,
  ],
  [{ environment: { STANDPIPE_ACCESS_KEYS: 'AKID:a,AKID:b' } }, /AKID is there twice$/],
  [
    { environment: { STANDPIPE_SSE_KEY: 'x', STANDPIPE_SSE_KEY_FILE: '/y' } },
    'Cannot use STANDPIPE_SSE_KEY_FILE: STANDPIPE_SSE_KEY is set too',
  ],
  [
    { environment: { STANDPIPE_SSE_KEY_FILE: '/none' } },
    /^Cannot use STANDPIPE_SSE_KEY_FILE: ENOENT/,
  ],
  [
    { environment: { STANDPIPE_BACKEND: 'mongo' } },
    /^Cannot use backend: it must be embedded, or a URL/,
  ],
  [
    { environment: { STANDPIPE_BACKEND: 'redis://:a@r', STANDPIPE_REDIS_PASSWORD: 'b' } },
    'Cannot use redisPassword: the URL of the backend has a password',
  ],
  [
    { environment: { STANDPIPE_REDIS_PASSWORD: 'hush' } },
    'Cannot use redisPassword: the backend is embedded',
  ],
  [
    { flags: { backend: 'redis://r', 'bull-board-listen': '0.0.0.0:3001' } },
    /^Cannot show bull-board on 0\.0\.0\.0:3001: /,
  ],
  [{ flags: { 'tls-cert': 'c.pem' } }, /tlsCert and tlsKey must be given together$/],
  [{ flags: { 'tls-listen': '127.0.0.1:1' } }, /it needs tlsCert and tlsKey$/],
  [{ file: 'retryBackoffFirstMs: 500\nretryBackoffMaxMs: 100' }, /exceeds retryBackoffMaxMs$/],
])('what cannot be meant is refused: %j', (sources, message) => {
  expect(() => load(sources)).toThrow(message)
})

test('a secret does not appear in the message that refuses it', () => {
  const environment = { STANDPIPE_ACCESS_KEYS: '!:hush-hush' }
  expect(() => load({ environment })).toThrow(/^(?!.*hush)/)
})

test.each(['0.0.0.0:4573', '[::]:4573', '10.1.2.3:80', 'standpipe.example:4573'])(
  'without access keys %s is refused, unless insecureOpen says otherwise',
  (listen) => {
    expect(() => load({ flags: { listen } })).toThrow('without access keys')
    expect(load({ flags: { listen, 'insecure-open': true } }).settings.listen).toBe(listen)
    const environment = { STANDPIPE_ACCESS_KEYS: 'AKID:secret' }
    expect(load({ flags: { listen }, environment }).settings.listen).toBe(listen)
  },
)

test.each(['127.0.0.1:0', 'localhost:4573', '[::1]:4573', '127.9.9.9:1'])(
  'loopback address %s needs no keys',
  (listen) => {
    expect(load({ flags: { listen } }).settings.listen).toBe(listen)
  },
)
