/** How the page is made cross-origin isolated: without it browsers give it no shared memory. */
export type Isolation = "coop" | "document" | "service-worker" | "none";

export const ISOLATIONS: readonly Isolation[] = ["coop", "document", "service-worker", "none"];

const HEADERS: Readonly<Record<Isolation, Readonly<Record<string, string>>>> = {
  coop: {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
  },
  // Without an opener policy: logins by popup keep working.
  document: { "Document-Isolation-Policy": "isolate-and-require-corp" },
  // The page's own service worker adds them.
  "service-worker": {},
  none: {},
};

/** What every answer says, the workers' scripts too. */
export function headersFor(isolation: Isolation): Readonly<Record<string, string>> {
  return { ...HEADERS[isolation], "Cross-Origin-Resource-Policy": "same-origin", "X-Content-Type-Options": "nosniff" };
}

/** What the page's address says for it. */
export function queryFor(isolation: Isolation): string {
  return isolation === "service-worker" ? "?isolate" : "";
}
