/** The surroundings' own `AbortSignal` where their types are known, so that `fetch` and its like take it. */
export type HostAbortSignal = typeof globalThis extends { readonly AbortSignal: { readonly prototype: infer Signal } }
  ? Signal
  : PlainAbortSignal;

/** What every `AbortSignal` has. */
interface PlainAbortSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

export interface HostAbortController {
  readonly signal: HostAbortSignal;
  abort(reason: unknown): void;
}

interface Surroundings {
  readonly AbortController: new () => HostAbortController;
}

const surroundings = globalThis as unknown as Surroundings;

export function createAbortController(): HostAbortController {
  return new surroundings.AbortController();
}
