interface Surroundings {
  readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> };
}

function variable(name: string): string | undefined {
  return (globalThis as unknown as Surroundings).process?.env?.[name];
}

/** Whether shared words are to be used by `Atomics` although WebAssembly is here: with `DMABUF_WORDS=atomics`. */
export function wantsAtomics(): boolean {
  return variable("DMABUF_WORDS") === "atomics";
}

/** Whether new domains are to be validated: with `DMABUF_VALIDATE=1`. */
export function wantsValidation(): boolean {
  return variable("DMABUF_VALIDATE") === "1";
}

/** The file that the validator's reports are to be added to: `DMABUF_VALIDATE_REPORTS`. */
export function reportsFile(): string | undefined {
  return variable("DMABUF_VALIDATE_REPORTS");
}

/** Where agents are to keep their last events: `DMABUF_TRACE`, a folder, or 1 for the folder of this user. */
export function wantedTrace(): boolean | string {
  const wanted = variable("DMABUF_TRACE") ?? "";
  return wanted === "1" || (wanted !== "" && wanted !== "0" && wanted);
}

/** Whether warnings are to say where things were taken: with `DMABUF_DEBUG=1`. */
export function wantsDebug(): boolean {
  return variable("DMABUF_DEBUG") === "1";
}
