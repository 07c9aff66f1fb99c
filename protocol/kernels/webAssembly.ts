/**
 * The part of WebAssembly's JavaScript interface that the kernels use, typed here because `lib.es2024` has none of it
 * and `lib.dom` would bring a whole browser along. Spec: W3C, WebAssembly JavaScript Interface, section 5.
 */
export interface WasmMemory {
  /** Replaced whenever the memory grows: never keep a view over it across an allocation. */
  readonly buffer: SharedArrayBuffer;
  grow(pages: number): number;
}

export interface WasmModule {
  readonly [Symbol.toStringTag]: string;
}

interface WasmInterface {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (
    module: WasmModule,
    imports: { readonly env: { readonly memory: WasmMemory } },
  ) => { readonly exports: unknown };
  readonly Memory: new (limits: { initial: number; maximum: number; shared: true }) => WasmMemory;
}

declare const WebAssembly: WasmInterface;

/** The engine's own WebAssembly object under the types above. */
export const wasm: WasmInterface = WebAssembly;

export const WASM_PAGE_BYTES = 65_536;
