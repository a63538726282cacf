import { DmaBufError, type PlainError } from "dmabuf";

/** What a worker tells when it cannot go on. */
export interface Failed {
  readonly kind: "failed";
  readonly error: PlainError;
}

export function failed(error: unknown): Failed {
  const failure =
    error instanceof DmaBufError
      ? error
      : new DmaBufError("EIO", error instanceof Error ? error.message : String(error), { cause: error });
  return { kind: "failed", error: failure.toPlain() };
}
