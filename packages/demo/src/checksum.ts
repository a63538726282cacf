import { createHash } from "node:crypto";

/** What tells the bytes of one frame from those of another, or from a mixture of two. */
export function checksumOf(bytes: Uint8Array): string {
  return createHash("sha1").update(bytes).digest("hex");
}
