import type { IncomingMessage, ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { DmaBufError } from "dmabuf";
import sirv from "sirv";
import type { Refusal } from "../shared/messages.js";
import { reportsIn } from "../shared/reports.js";
import { Guard } from "./guard.js";
import { LatencyLook } from "./latency-look.js";
import { PageStream } from "./page-stream.js";
import type { Watch } from "./watch.js";

/** Where Vite builds the page. */
const PAGE = fileURLToPath(new URL("../../page", import.meta.url));

/** Nothing but what the page brings itself, and nothing around it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS = {
  "Content-Security-Policy": POLICY,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

/** Answers requests: `/` is the page, and the others give what it shows. */
export class Answers {
  readonly guard = new Guard();
  readonly #watch: Watch;
  readonly #latency: LatencyLook;
  readonly #page = sirv(PAGE, { etag: true, onNoMatch: (_request, response) => refuse(response, 404) });

  constructor(watch: Watch) {
    this.#watch = watch;
    this.#latency = new LatencyLook(watch);
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const url = this.guard.urlOf(request);
    if (typeof url === "number") return refuse(response, url);
    if (url.pathname.startsWith("/assets/")) return this.#page(request, response);
    // guard.3
    if (!this.guard.knows(request, url)) return refuse(response, 401);
    response.setHeader("Cache-Control", "no-store");
    try {
      this.#answerKnown(request, response, url);
    } catch (error) {
      refuse(response, statusOf(error), error as Error);
    }
  }

  #answerKnown(request: IncomingMessage, response: ServerResponse, { pathname, searchParams }: URL): void {
    const wanted = pathname === "/wait" ? "POST" : "GET";
    if (request.method !== wanted) {
      response.setHeader("Allow", wanted);
      return refuse(response, 405);
    }
    switch (pathname) {
      case "/":
        return this.#page(request, response);
      case "/events":
        return PageStream.open(this.#watch, response);
      case "/explain":
        return sendJson(response, 200, this.#watch.observed.explain(thingOf(searchParams)));
      case "/reports": {
        const at = Number(process.hrtime.bigint());
        const files = this.#watch.observed.trace({ since: numberIn(searchParams, "since") ?? 0 });
        return sendJson(response, 200, reportsIn(files, at));
      }
      case "/latency":
        return sendJson(response, 200, this.#latency.waits());
      case "/bytes":
        return this.#sendBytes(response, searchParams);
      case "/wait":
        this.#watch.wait();
        return sendJson(response, 200, this.#watch.state);
      default:
        return refuse(response, 404);
    }
  }

  #sendBytes(response: ServerResponse, asked: URLSearchParams): void {
    const inode = numberIn(asked, "buffer") ?? NaN;
    const size = this.#watch.history.newest?.buffers.find((buffer) => buffer.inode === inode)?.size ?? 0;
    const offset = numberIn(asked, "offset") ?? 0;
    const length = numberIn(asked, "length") ?? Math.min(Math.max(0, size - offset), MOST_BYTES);
    if (length > MOST_BYTES) throw new RangeError(`Cannot give more than ${MOST_BYTES} bytes at a time`);
    const bytes = this.#watch.observed.bytesOf(inode, { offset, length });
    response.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": bytes.length });
    response.end(bytes);
  }
}

/** Of a buffer in one answer: two are copied for it. */
const MOST_BYTES = 64 * 2 ** 20;

/** What `/explain` is asked about; all that waits without one. */
function thingOf(asked: URLSearchParams): { buffer: number } | { stream: string } | undefined {
  const buffer = numberIn(asked, "buffer");
  if (buffer !== undefined) return { buffer };
  const stream = asked.get("stream");
  return stream === null ? undefined : { stream };
}

function numberIn(asked: URLSearchParams, name: string): number | undefined {
  const text = asked.get(name);
  return text === null ? undefined : Number(text);
}

const REASONS: Readonly<Record<number, string>> = {
  400: "The request is not understood",
  401: "This needs the whole address that dmabuf-inspector has printed, with its token",
  403: "Pages of other origins get no answer",
  404: "There is no such thing here",
  405: "This is asked for in another way",
  421: "Nothing here has that name: use the address that dmabuf-inspector has printed",
};

/** The other ones are refused by what was asked for. */
const STATUSES: Readonly<Record<string, number>> = {
  EACCES: 403,
  EINVAL: 400,
  ENODEV: 404,
  ENODATA: 404,
  ENOENT: 404,
  EOPNOTSUPP: 501,
  ESRCH: 404,
};

function statusOf(error: unknown): number {
  if (error instanceof DmaBufError) return STATUSES[error.code] ?? 500;
  return error instanceof TypeError || error instanceof RangeError ? 400 : 500;
}

function refuse(response: ServerResponse, status: number, error?: Error): void {
  response.setHeader("Connection", "close");
  const code = error instanceof DmaBufError ? error.code : "REFUSED";
  const message = error instanceof DmaBufError ? error.toPlain().message : (error?.message ?? REASONS[status] ?? "");
  sendJson(response, status, { code, message } satisfies Refusal);
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store" });
  response.end(JSON.stringify(value));
}
