/** What we use of the zstd-codec package, which comes without types. */
declare module 'zstd-codec/lib/zstd-stream.js' {
  import type { Transform } from 'node:stream'

  export class ZstdCompressTransform extends Transform {
    readonly binding: { delete(): void }
    constructor(compressionLevel: number)
  }
  export interface ZstdStreams {
    readonly ZstdCompressTransform: typeof ZstdCompressTransform
  }
  export function run(whenReady: (streams: ZstdStreams) => void): void
}

declare module 'zstd-codec' {
  export interface ZstdCodecModule {
    readonly Simple: new () => { decompress(frame: Uint8Array): Uint8Array | null }
    readonly Streaming: new () => { decompress(frame: Uint8Array): Uint8Array | null }
  }
  export const ZstdCodec: { run(whenReady: (codec: ZstdCodecModule) => void): void }
}
