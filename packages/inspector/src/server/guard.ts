import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

/**
 * Who is answered.
 *
 * guard.1. Those who ask for the server by its own name: a page of the web can have a name that leads here (421).
 * guard.2. No page of another origin, whatever it asks for (403).
 * guard.3. Those who know the token, which only the terminal of the person shows; other users of the machine do not (401). It is
 *      compared in a time that says nothing about it.
 * guard.4. What a request says is parsed inside a `try`. No request ends the process.
 */
export class Guard {
  readonly token = randomBytes(24).toString("base64url");

  /** What is asked for, or the status of a refusal. */
  urlOf({ url = "", headers, socket }: IncomingMessage): URL | number {
    try {
      const own = ["localhost", "127.0.0.1"].map((name) => new URL(`http://${name}:${socket.localPort}`));
      const named = new URL(`http://${headers.host ?? ""}`);
      // What is asked for may name a host, too.
      const asked = new URL(url, named);
      if (named.href !== `http://${named.host}/`) return 400;
      if (!own.some(({ host }) => host === named.host) || asked.origin !== named.origin) return 421;
      return isFromElsewhere(headers, named.origin, asked.pathname) ? 403 : asked;
    } catch {
      return 400;
    }
  }

  knows({ headers }: IncomingMessage, { searchParams }: URL): boolean {
    const said = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1] ?? searchParams.get("token") ?? "";
    return timingSafeEqual(digest(said), digest(this.token));
  }
}

/** A link to the page may be in any page. */
function isFromElsewhere(headers: IncomingMessage["headers"], own: string, path: string): boolean {
  const { origin } = headers;
  const site = headers["sec-fetch-site"];
  if (origin !== undefined && origin !== own) return true;
  return path !== "/" && site !== undefined && site !== "same-origin" && site !== "none";
}

/** Of one length, whatever was said. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
