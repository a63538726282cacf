import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PreviewServer } from "./preview-server.js";

const PATIENT = { timeout: 30_000 };

let thumbnails: string;
let server: PreviewServer;
let port: number;

before(async () => {
  thumbnails = mkdtempSync(join(tmpdir(), "dmabuf-preview-"));
  writeFileSync(join(thumbnails, "frame-1.jpg"), "a picture");
  mkdirSync(join(thumbnails, "frame-2.jpg"));
  server = await PreviewServer.listen({ port: 0, width: 64, height: 48, thumbnails });
  port = Number(new URL(server.url).port);
});
after(async () => {
  await server.close();
  rmSync(thumbnails, { recursive: true });
});

/** The head of what comes back for a request as it is written here. */
async function ask(target: string, host: string | undefined = `127.0.0.1:${port}`, method = "GET"): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(`${method} ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  let answer = "";
  for await (const part of socket.setEncoding("utf8")) {
    answer += part as string;
    if (answer.includes("\r\n\r\n")) break;
  }
  return answer;
}

async function status(...request: Parameters<typeof ask>): Promise<number> {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(await ask(...request))?.[1]);
}

test("preview-server.1: the preview answers to its own names and to no others", PATIENT, async () => {
  for (const own of ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"]) {
    assert.equal(await status("/", `${own}:${port}`), 200, own);
  }
  const others = [
    "evil.example",
    `evil.example:${port}`,
    "localhost",
    `localhost:${port + 1}`,
    `127.0.0.1.evil:${port}`,
  ];
  for (const other of others) {
    for (const path of ["/", "/events", "/stream.mjpg", "/thumbnails/frame-1.jpg"]) {
      assert.equal(await status(path, other), 421, `${other} ${path}`);
    }
  }
  assert.equal(await status(`http://evil.example:${port}/`), 421);
  assert.equal(await status(`http://localhost:${port}/`, `localhost:${port}`), 200);
});

test("preview-server.1: no page of another origin gets what the preview answers", PATIENT, async () => {
  assert.match(await ask("/thumbnails/frame-1.jpg"), /^Cross-Origin-Resource-Policy: same-origin\r$/m);
});

test("preview-server.2: no request ends the preview", PATIENT, async () => {
  const targets = [
    "//",
    "//[",
    "http://x:99999/",
    "/%",
    "/\\\\",
    "*",
    "?",
    `/thumbnails/frame-${"1".repeat(5000)}.jpg`,
  ];
  for (const target of targets) {
    const answered = await status(target);
    assert.ok(answered >= 400 && answered < 500, `${target}: ${answered}`);
  }
  for (const host of ["", "[", ":", "a b", `u@localhost:${port}`, `localhost:${port}/x`, "localhost:99999"]) {
    assert.equal(await status("/", host), 400, host);
  }
  assert.equal(await status("/", undefined, "DELETE"), 405);
  // What is no file is not read.
  assert.equal(await status("/thumbnails/frame-2.jpg"), 404);
  assert.equal(await status("/thumbnails/frame-3.jpg"), 404);
  assert.match(await ask("/thumbnails/frame-1.jpg"), /^Content-Type: image\/jpeg\r$/m);
});
