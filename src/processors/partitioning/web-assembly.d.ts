/** What we use of WebAssembly, which the types of Node.js leave to those of browsers. */
declare namespace WebAssembly {
  interface Memory {
    readonly buffer: ArrayBuffer
  }
  interface Instance {
    /** Of jq. */
    readonly exports: { readonly memory: Memory }
  }
  const Module: new (bytes: Uint8Array) => object
  const Instance: new (module: object, imports: object) => Instance
}
