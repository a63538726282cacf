import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Domain, type DmaBuf } from "../../index.js";
import { ProcessDomain } from "../index.js";

const TEXT = "name,size\na,1\nb,22\n";

function create(t: TestContext): ProcessDomain {
  const domain = ProcessDomain.create({ agents: 4, buffers: 8, streams: 2 });
  t.after(() => domain.close());
  return domain;
}

function bufferOf(domain: ProcessDomain, text: string): DmaBuf {
  const buffer = domain.allocate(text.length, { name: "text", exact: true });
  using access = buffer.accessSync("write");
  access.bytes.set(Buffer.from(text));
  return buffer;
}

test("the file of an exact buffer ends where its bytes end, in this process and in others", (t) => {
  const domain = create(t);
  using buffer = bufferOf(domain, TEXT);
  using access = buffer.accessSync("read");
  assert.deepEqual([buffer.size, access.bytes.length], [TEXT.length, TEXT.length]);
  using file = domain.openFile(buffer);
  assert.equal(file.size, TEXT.length);
  assert.equal(fstatSync(file.descriptor).size, TEXT.length);
  for (let time = 1; time <= 2; time++) assert.equal(readFileSync(file.path, "utf8"), TEXT, "each from its start");
  assert.equal(execFileSync("wc", ["-c", file.path], { encoding: "utf8" }), `${TEXT.length} ${file.path}\n`);
  const { stdout } = spawnSync("cat", { stdio: [file.descriptor, "pipe", "inherit"], encoding: "utf8" });
  assert.equal(stdout, TEXT);
});

test("an exact buffer is shared by its handle, with as many bytes, and the whole of its last page goes with it", async (t) => {
  const domain = create(t);
  const place = `@dmabuf buffer-file ${process.pid}`;
  domain.listen(place);
  const other = await ProcessDomain.connect(place);
  t.after(() => other.close());
  const buffer = bufferOf(domain, "x".repeat(5000));
  const file = domain.openFile(buffer);
  const kept = openSync(file.path, "r");
  t.after(() => closeSync(kept));
  {
    using imported = other.import(buffer.handle());
    using access = imported.accessSync("write");
    assert.equal(access.bytes.length, 5000);
    access.bytes[4999] = 121;
  }
  assert.equal(readFileSync(file.path, "utf8").at(-1), "y");
  file.close();
  buffer.close();
  assert.equal(fstatSync(kept).blocks, 0, "pages are left");
});

test("without the option a buffer and its file have whole pages", (t) => {
  const domain = create(t);
  using buffer = domain.allocate(100);
  using file = domain.openFile(buffer);
  assert.deepEqual([buffer.size, file.size, fstatSync(file.descriptor).size], [4096, 4096, 4096]);
  using threads = Domain.create();
  assert.deepEqual([threads.allocate(100).size, threads.allocate(100, { exact: true }).size], [4096, 100]);
});

test("a file is opened to write on demand, by a holder that may write", (t) => {
  const domain = create(t);
  using buffer = bufferOf(domain, TEXT);
  using reader = buffer.duplicate("read");
  assert.throws(() => domain.openFile(reader, { mode: "read-write" }), { code: "EACCES" });
  using sealed = domain.allocate(1, { sealed: true });
  assert.throws(() => domain.openFile(sealed, { mode: "read-write" }), { code: "EPERM", message: /sealed/ });
  using file = domain.openFile(reader);
  assert.throws(() => writeFileSync(file.descriptor, "NAME"), { code: "EBADF" });
  using writable = domain.openFile(buffer, { mode: "read-write" });
  writeFileSync(writable.descriptor, "NAME");
  using access = buffer.accessSync("read");
  assert.equal(Buffer.from(access.bytes.subarray(0, 9)).toString(), "NAME,size");
});

test("while the file is open its buffer lives and stays where it is", async (t) => {
  const domain = create(t);
  const buffer = domain.export([domain.createMemory(4096)]);
  const file = domain.openFile(buffer);
  await assert.rejects(buffer.move([domain.createMemory(4096)]), { code: "EBUSY" });
  buffer.close();
  assert.equal(domain.statistics().length, 1);
  assert.equal(readFileSync(file.path).length, 4096);
  file.close();
  file.close();
  assert.equal(domain.statistics().length, 0);
  assert.throws(() => readFileSync(file.path), { code: "ENOENT" });
});

test("leaving the domain closes its files", (t) => {
  const domain = create(t);
  const files = (): number =>
    readdirSync("/proc/self/fd").filter((fd) => linkOf(fd).startsWith("/memfd:dmabuf files")).length;
  const buffer = domain.allocate(1, { name: "files" });
  const file = domain.openFile(buffer);
  assert.equal(files(), 2);
  domain.close();
  assert.equal(files(), 0);
  file.close();
  assert.throws(() => domain.openFile(buffer), { code: "EBADF" });
});

test("a file that is forgotten is closed, with a warning that names its buffer", { timeout: 60_000 }, async (t) => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const domain = create(t);
  const warned = new Promise<Error>((heard) => process.once("warning", heard));
  const [before, buffer] = [readdirSync("/proc/self/fd").length, domain.allocate(1, { name: "mine" })];
  domain.openFile(buffer);
  buffer.close();
  const looking = setInterval(collectGarbage, 20);
  t.after(() => clearInterval(looking));
  assert.match((await warned).message, /^A file of buffer "mine" was forgotten/);
  assert.deepEqual([domain.statistics().length, readdirSync("/proc/self/fd").length], [0, before]);
});

test("memory that is not one whole file is none, and nothing is held of it", (t) => {
  const domain = create(t);
  const memory = domain.createMemory(8192);
  const part = { ...memory, offset: 4096, length: 4096 };
  for (const segments of [[part], [{ ...memory, length: 4096 }], [part, part]]) {
    const buffer = domain.export(segments);
    assert.throws(() => domain.openFile(buffer), { code: "EOPNOTSUPP", message: /not all of one file/ });
    buffer.close();
  }
  assert.equal(domain.statistics().length, 0);
  using threads = Domain.create();
  assert.throws(() => domain.openFile(threads.allocate(1)), { code: "EOPNOTSUPP", message: /its memory is no file/ });
});

test("only the system heap has memory of an exact size", (t) => {
  using domain = Domain.create();
  const heap = domain.heaps.add("card", {
    allocate: (length) => ({ segments: [{ memory: new SharedArrayBuffer(length), offset: 0, length }] }),
  });
  assert.throws(() => heap.allocate(5, { exact: true }), { code: "EOPNOTSUPP", message: /exact size.*"card"/ });
  assert.equal(create(t).heaps.get("system").allocate(5, { exact: true }).size, 5);
});

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ""; // that of the listing itself
  }
}
