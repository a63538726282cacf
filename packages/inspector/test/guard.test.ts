/** Who is answered, by requests as they are on the wire. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { inspect, newPlace, party } from "./harness.js";

const PATIENT = { timeout: 120_000 };

interface Asked {
  readonly method?: string;
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A server of a domain, and what asks it. */
async function served() {
  const place = newPlace();
  await party("crowd", place);
  const { url } = await inspect({ where: place });
  const { port, searchParams } = new URL(url);
  const token = searchParams.get("token") ?? "";
  const ask = async (target: string, { method = "GET", host, headers = {} }: Asked = {}) => {
    const socket = connect(Number(port), "127.0.0.1");
    const lines = Object.entries({ Host: host ?? `127.0.0.1:${port}`, ...headers }).map(
      ([name, value]) => `${name}: ${value}`,
    );
    socket.write(`${method} ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`);
    let answer = "";
    socket.setEncoding("utf8").on("data", (part: string) => {
      answer += part;
      // The stream of events has no end.
      if (answer.includes("\r\n\r\n") && answer.includes("text/event-stream")) socket.destroy();
    });
    await once(socket, "close");
    return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]), answer };
  };
  return { port, token, ask };
}

const ALL = ["/", "/events", "/explain", "/bytes", "/latency", "/reports", "/wait", "/no-such-thing"];

test("the inspector answers to its own names and to no others (guard.1)", PATIENT, async () => {
  const { port, token, ask } = await served();
  for (const own of ["127.0.0.1", "localhost", "LOCALHOST"]) {
    assert.equal((await ask(`/?token=${token}`, { host: `${own}:${port}` })).status, 200, own);
  }
  const others = [
    "evil.example",
    `evil.example:${port}`,
    "localhost",
    `localhost:${Number(port) + 1}`,
    `127.0.0.1.evil:${port}`,
  ];
  for (const host of others) {
    for (const path of ALL)
      assert.equal((await ask(`${path}?token=${token}`, { host })).status, 421, `${host} ${path}`);
  }
  assert.equal((await ask(`http://evil.example:${port}/?token=${token}`)).status, 421);
  for (const host of ["", "[", "a b", `u@localhost:${port}`, `localhost:${port}/x`]) {
    assert.equal((await ask(`/?token=${token}`, { host })).status, 400, host);
  }
});

test("no page of another origin is answered, also with the token (guard.2)", PATIENT, async () => {
  const { port, token, ask } = await served();
  const foreign: Record<string, string>[] = [
    { Origin: "https://evil.example" },
    { Origin: `http://127.0.0.1:${Number(port) + 1}` },
    { Origin: `https://127.0.0.1:${port}` },
    { Origin: "null" },
  ];
  for (const headers of foreign) {
    for (const path of ALL) {
      assert.equal((await ask(`${path}?token=${token}`, { headers })).status, 403, `${headers["Origin"]} ${path}`);
    }
  }
  for (const site of ["cross-site", "same-site"]) {
    const { status } = await ask(`/events?token=${token}`, { headers: { "Sec-Fetch-Site": site } });
    assert.equal(status, 403, site);
  }
  const own = { Origin: `http://127.0.0.1:${port}`, "Sec-Fetch-Site": "same-origin" };
  assert.equal((await ask(`/events?token=${token}`, { headers: own })).status, 200);
  assert.equal((await ask("/", { method: "OPTIONS", headers: { Origin: "https://evil.example" } })).status, 403);
});

test("without the token there is neither the page nor anything of the domain (guard.3)", PATIENT, async () => {
  const { token, ask } = await served();
  const wrong = [
    "",
    "?token=",
    `?token=${token.slice(1)}`,
    `?token=${token}x`,
    `?token=${token.toLowerCase()}0`,
    "?token=%FF",
  ];
  for (const path of ALL) {
    for (const query of wrong) {
      const { status, answer } = await ask(path + query);
      assert.equal(status, 401, path + query);
      assert.doesNotMatch(answer, /tile|<!doctype/);
    }
  }
  assert.equal((await ask("/explain", { headers: { Authorization: `Bearer ${token}x` } })).status, 401);
  assert.equal((await ask("/explain", { headers: { Authorization: `Bearer ${token}` } })).status, 200);
});

test("no answer is stored, framed, or of another type than it says", PATIENT, async () => {
  const { token, ask } = await served();
  for (const path of ["/", "/events", "/explain"]) {
    const { answer } = await ask(`${path}?token=${token}`);
    assert.match(answer, /^Cache-Control: no-store\r$/m, path);
    assert.match(answer, /^Content-Security-Policy: default-src 'none'; .*frame-ancestors 'none'\r$/m, path);
    assert.match(answer, /^X-Content-Type-Options: nosniff\r$/m, path);
    assert.match(answer, /^Cross-Origin-Resource-Policy: same-origin\r$/m, path);
    assert.match(answer, /^Referrer-Policy: no-referrer\r$/m, path);
    assert.doesNotMatch(answer, /^Access-Control-/im, path);
  }
});

test("no request ends the inspector (guard.4)", PATIENT, async () => {
  const { token, ask } = await served();
  const targets = [
    "//",
    "//[",
    "http://x:99999/",
    "/%",
    "/assets/../main.js",
    "/assets/%2e%2e/%2e%2e/package.json",
    "*",
    "?",
  ];
  for (const target of targets) {
    const { status } = await ask(target);
    assert.ok(status >= 400 && status < 500, `${target}: ${status}`);
  }
  assert.equal((await ask(`/?token=${token}`, { method: "DELETE" })).status, 405);
  assert.equal((await ask(`/wait?token=${token}`)).status, 405);
  for (const query of ["buffer=99999999", "buffer=x", "buffer=-1", "stream=no", "buffer=1e99"]) {
    const { status } = await ask(`/explain?token=${token}&${query}`);
    assert.ok(status >= 400 && status < 500, `${query}: ${status}`);
  }
  for (const query of [
    "",
    "buffer=x",
    "buffer=1&length=-1",
    "buffer=1&length=1e99",
    "buffer=1&offset=99999999",
    "buffer=0",
  ]) {
    const { status } = await ask(`/bytes?token=${token}&${query}`);
    assert.ok(status >= 400 && status < 500, `${query}: ${status}`);
  }
  assert.equal((await ask(`/explain?token=${token}`)).status, 200);
});
