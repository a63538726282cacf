interface Surroundings {
  readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> };
}

/** Whether shared words are to be used by `Atomics` although WebAssembly is here: with `DMABUF_WORDS=atomics`. */
export function wantsAtomics(): boolean {
  return (globalThis as unknown as Surroundings).process?.env?.["DMABUF_WORDS"] === "atomics";
}
