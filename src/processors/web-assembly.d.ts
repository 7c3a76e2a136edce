/** What we use of WebAssembly, which the types of Node.js leave to those of browsers. */
declare namespace WebAssembly {
  class Memory {
    readonly buffer: ArrayBuffer
  }
  class Module {
    constructor(bytes: Uint8Array)
  }
  class Instance {
    /** Of jq. */
    readonly exports: { readonly memory: Memory }
    constructor(module: Module, imports: object)
  }
}
