import type { ExplanationData } from "dmabuf";
import type { DomainState, Refusal, ServerEvents, TracedReports, TracedWaits } from "../../src/shared/messages.js";

/** What the page asks its server for. The token is in the page's own address, and so it survives a reload. */
const TOKEN = new URLSearchParams(location.search).get("token") ?? "";

/** What the server has refused, in words for people. */
class RefusedError extends Error {
  readonly code: string;

  constructor({ code, message }: Refusal) {
    super(message);
    this.code = code;
  }
}

/** Hears what the server tells, until it is closed. */
export type Listeners = { readonly [Name in keyof ServerEvents]: (data: ServerEvents[Name]) => void };

/** @param onLink Called when the connection comes and goes; the browser connects again by itself. */
export function listen(listeners: Listeners, onLink: (isOpen: boolean) => void): EventSource {
  const source = new EventSource(`events?${new URLSearchParams({ token: TOKEN }).toString()}`);
  const hear = <Name extends keyof ServerEvents>(name: Name): void =>
    source.addEventListener(name, ({ data }: MessageEvent<string>) =>
      listeners[name](JSON.parse(data) as ServerEvents[Name]),
    );
  hear("state");
  hear("first");
  hear("change");
  source.onopen = () => onLink(true);
  source.onerror = () => onLink(false);
  return source;
}

/** What may be asked about; nothing for all that waits. */
export type Explained = { readonly buffer: number } | { readonly stream: string };

/** @throws {RefusedError} If there is no such thing, or no longer a domain. */
export async function explain(what?: Explained): Promise<ExplanationData> {
  const answer = await ask("explain", { ...what });
  return (await answer.json()) as ExplanationData;
}

/**
 * A copy of the bytes of a buffer's storage.
 *
 * @throws {RefusedError} `EOPNOTSUPP` if the storage is not one memory file; `ENOENT` if there is no such buffer.
 */
export async function bytesOf(
  buffer: number,
  range: { readonly offset?: number; readonly length?: number } = {},
): Promise<Uint8Array> {
  const answer = await ask("bytes", { buffer, ...range });
  return new Uint8Array(await answer.arrayBuffer());
}

/** What the validator has said since a moment, in agents that trace. */
export async function reportsSince(since: number): Promise<TracedReports> {
  const answer = await ask("reports", { since });
  return (await answer.json()) as TracedReports;
}

/** How long frames have waited, by the traces of the domain's agents. */
export async function tracedWaits(): Promise<TracedWaits> {
  const answer = await ask("latency", {});
  return (await answer.json()) as TracedWaits;
}

/** Has the server wait for another domain at the same place. */
export async function waitForAnother(): Promise<DomainState> {
  const answer = await ask("wait", {}, "POST");
  return (await answer.json()) as DomainState;
}

async function ask(path: string, what: Readonly<Record<string, string | number>>, method = "GET"): Promise<Response> {
  const query = new URLSearchParams(Object.entries(what).map(([name, value]) => [name, String(value)]));
  const answer = await fetch(`${path}?${query.toString()}`, { method, headers: { Authorization: `Bearer ${TOKEN}` } });
  if (answer.ok) return answer;
  throw new RefusedError((await answer.json()) as Refusal);
}
