import type { RedisPlace } from '../../backend.ts'
import type { Connection } from '../../connections.ts'
import type { SourceType } from '../../source.ts'
import {
  createConfiguration,
  describeConfiguration,
  placeOf,
  readConfiguration,
} from './configuration.ts'
import { RedisStreamSource } from './redis-stream-source.ts'

export const redisStreamSource: SourceType = {
  name: 'RedisStreamAsSource',
  configurationMember: 'RedisStreamSourceConfiguration',
  create: createConfiguration,
  describe: describeConfiguration,
  open(stream, tools) {
    const configuration = readConfiguration(stream)
    const connection = tools.connections.find(configuration.url)
    const place = placeWith(placeOf(configuration.url), connection)
    return Promise.resolve(new RedisStreamSource({ configuration, place, tools }))
  },
}

function placeWith(
  place: RedisPlace,
  { username, password, tlsCa, tlsCertificate, tlsKey }: Connection = {},
): RedisPlace {
  return {
    ...place,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    certificates: {
      ...(tlsCa !== undefined && { ca: tlsCa }),
      ...(tlsCertificate !== undefined && { cert: tlsCertificate }),
      ...(tlsKey !== undefined && { key: tlsKey }),
    },
  }
}
