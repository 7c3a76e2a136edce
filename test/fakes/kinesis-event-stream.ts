/**
 * Messages of AWS's event stream:
 *
 *   message:  length u32be | length of headers u32be | CRC-32 of both | headers | body | CRC-32 of all
 *   header:   length u8 | name | 7 (a string) | length u16be | value
 */
import { crc32 } from 'node:zlib'

export function eventMessage(type: string, body: object): Buffer {
  return message({ ':message-type': 'event', ':event-type': type }, body)
}

export function exceptionMessage(type: string, body: object): Buffer {
  return message({ ':message-type': 'exception', ':exception-type': type }, body)
}

function message(headers: Readonly<Record<string, string>>, content: object): Buffer {
  const all = { ...headers, ':content-type': 'application/json' }
  const head = Buffer.concat(Object.entries(all).map(([name, value]) => header(name, value)))
  const body = Buffer.from(JSON.stringify(content))
  const lengths = Buffer.concat([u32(12 + head.length + body.length + 4), u32(head.length)])
  const checked = Buffer.concat([lengths, u32(crc32(lengths)), head, body])
  return Buffer.concat([checked, u32(crc32(checked))])
}

function header(name: string, value: string): Buffer {
  const length = Buffer.from([7, value.length >> 8, value.length & 255])
  return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), length, Buffer.from(value)])
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
