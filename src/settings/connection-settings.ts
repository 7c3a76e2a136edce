import { Type } from 'typebox'
import type { Static } from 'typebox'
import type { JsonObject } from '../base/json.ts'
import { SASL_MECHANISMS } from '../connections.ts'

const Text = Type.Optional(Type.String({ minLength: 1 }))

const ConnectionSetting = Type.Object(
  {
    url: Type.String({ minLength: 1 }),
    username: Text,
    password: Text,
    apiKey: Text,
    sigv4: Type.Optional(
      Type.Object(
        { region: Type.String({ minLength: 1 }), service: Type.String({ minLength: 1 }) },
        { additionalProperties: false },
      ),
    ),
    tlsCa: Text,
    tlsCertificate: Text,
    tlsKey: Text,
    proxy: Text,
    endpoint: Text,
    accessKeyId: Text,
    secretAccessKey: Text,
    brokers: Text,
    tls: Type.Optional(Type.Boolean()),
    sasl: Type.Optional(Type.Enum(SASL_MECHANISMS)),
  },
  { additionalProperties: false },
)

/** What a URL or an ARN is reached with, all values read; see src/connections.ts. */
export type ConnectionSetting = Static<typeof ConnectionSetting>

/** By name, in the order of the documentation. */
export const CONNECTION_MEMBERS: readonly string[] = Object.keys(ConnectionSetting.properties)

export const ConnectionsSetting = Type.Array(ConnectionSetting, {
  secret: true,
  form: 'a list of objects, see Connections; JSON in text',
  default: [],
  description:
    'Credentials, certificates and proxies by the URL of a destination or source, and where the ' +
    'ARNs of sources are. Read at start.',
})

/** A secret's place, or what it holds where that can't change. */
export type SecretSetting = { readonly file: string } | { readonly value: JsonObject }

export const SecretsSetting = Type.Record(
  Type.String(),
  Type.Union([
    Type.Object({ file: Type.String({ minLength: 1 }) }, { additionalProperties: false }),
    Type.Object(
      { value: Type.Unsafe<JsonObject>(Type.Object({})) },
      { additionalProperties: false },
    ),
  ]),
  {
    secret: true,
    form: 'an object by ARN, see Secrets; JSON in text',
    default: {},
    defaultWords: '',
    description: 'What the ARNs in SecretsManagerConfiguration mean on this host.',
  },
)
