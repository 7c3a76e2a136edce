import { BlockList, isIP } from 'node:net'

export interface HostAndPort {
  /** Without the brackets of an IPv6 address. */
  readonly host: string
  readonly port: number
}

/** Reads `127.0.0.1:4573`, `localhost:80`, `[::1]:4573`. Undefined if it isn't such. */
export function parseHostAndPort(text: string): HostAndPort | undefined {
  const colon = text.lastIndexOf(':')
  const port = Number(text.slice(colon + 1))
  const host = text.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  if (colon < 1 || host === '' || !Number.isInteger(port) || port > 65_535) return undefined
  return { host, port }
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Whether only this machine can reach the address. Names other than localhost are not trusted. */
export function isLoopback(host: string): boolean {
  const family = isIP(host)
  if (family === 0) return host === 'localhost'
  return loopback.check(host, family === 4 ? 'ipv4' : 'ipv6')
}
