/** The surroundings' own `AbortSignal` where their types are known, so that `fetch` and its like take it; else its part that is used. */
export type AbortSignalLike = typeof globalThis extends { readonly AbortSignal: { readonly prototype: infer Signal } }
  ? Signal
  : {
      readonly aborted: boolean;
      readonly reason: unknown;
      addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
      removeEventListener(type: "abort", listener: () => void): void;
    };

export interface HostAbortController {
  readonly signal: AbortSignalLike;
  abort(reason: unknown): void;
}

interface Surroundings {
  readonly AbortController: new () => HostAbortController;
}

const surroundings = globalThis as unknown as Surroundings;

export function createAbortController(): HostAbortController {
  return new surroundings.AbortController();
}
