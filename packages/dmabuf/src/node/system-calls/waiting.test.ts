import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { closeDescriptor, createPipe, isClosedOnExec, POLL, writeDescriptor } from "./descriptors.js";
import { addToEpoll, changeInEpoll, createEpoll, EPOLL_ONE_SHOT, removeFromEpoll, waitForEpoll } from "./epoll.js";
import { futexWait, futexWake } from "./futex.js";
import { viewOf } from "./library.js";
import { mapMemory, pageSize, unmapMemory } from "./memory.js";
import { openProcess, processId, signalThread, threadId, withUmask } from "./processes.js";

test("futexWait() compares 32 bits, and sleeps for its time", { timeout: 10_000 }, () => {
  const length = pageSize();
  const address = mapMemory({ length, protection: "read-write" });
  new Int32Array(viewOf(address, length))[1] = -1;
  assert.equal(futexWait(address + 4n, 0, 1_000), "not-equal");
  const start = performance.now();
  assert.equal(futexWait(address + 4n, 0xffff_ffff, 20), "timed-out");
  assert.ok(performance.now() - start >= 20);
  assert.equal(futexWait(Number(address), 0, 0), "timed-out");
  assert.equal(futexWake(address), 0);
  unmapMemory(address, length);
});

test("a futex at an address that is not mapped fails with EFAULT", () => {
  assert.throws(() => futexWait(4096, 0, 1), { code: "EFAULT", errno: 14, syscall: "futex" });
  assert.throws(() => futexWait(4097, 0, 1), { code: "EINVAL" });
});

test("epoll reports the key of each descriptor that is ready", () => {
  const epoll = createEpoll();
  assert.ok(isClosedOnExec(epoll));
  const { reader, writer } = createPipe();
  const key = 2 ** 52 + 1;
  addToEpoll(epoll, reader, POLL.READABLE, key);
  assert.deepEqual(waitForEpoll(epoll, 0), []);
  writeDescriptor(writer, Buffer.from("x"));
  assert.deepEqual(waitForEpoll(epoll, 1_000), [{ key, events: POLL.READABLE }]);
  addToEpoll(epoll, writer, POLL.WRITABLE, 1);
  assert.equal(waitForEpoll(epoll, 1_000).length, 2);
  assert.equal(waitForEpoll(epoll, 1_000, 1).length, 1);
  removeFromEpoll(epoll, reader);
  assert.deepEqual(waitForEpoll(epoll, 0), [{ key: 1, events: POLL.WRITABLE }]);
  for (const fd of [epoll, reader, writer]) closeDescriptor(fd);
});

test("a one-shot registration is silent until it is changed", () => {
  const epoll = createEpoll();
  const { reader, writer } = createPipe();
  addToEpoll(epoll, writer, POLL.WRITABLE | EPOLL_ONE_SHOT, 1);
  assert.equal(waitForEpoll(epoll, 1_000).length, 1);
  assert.equal(waitForEpoll(epoll, 0).length, 0);
  changeInEpoll(epoll, writer, POLL.WRITABLE | EPOLL_ONE_SHOT, 2);
  assert.deepEqual(waitForEpoll(epoll, 1_000), [{ key: 2, events: POLL.WRITABLE }]);
  for (const fd of [epoll, reader, writer]) closeDescriptor(fd);
});

test("epoll calls that cannot be fail with their errno", () => {
  const epoll = createEpoll();
  assert.throws(() => removeFromEpoll(epoll, 0), { code: "ENOENT", syscall: "epoll_ctl" });
  assert.throws(() => addToEpoll(epoll, epoll, POLL.READABLE, 0), { code: "EINVAL", syscall: "epoll_ctl" });
  closeDescriptor(epoll);
  assert.throws(() => waitForEpoll(epoll, 0), { code: "EBADF", syscall: "epoll_wait" });
});

test("the descriptor of a process becomes readable when it is killed", { timeout: 20_000 }, async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1e9)"]);
  const pidfd = openProcess(child.pid!);
  assert.ok(isClosedOnExec(pidfd));
  const epoll = createEpoll();
  addToEpoll(epoll, pidfd, POLL.READABLE, 0);
  assert.deepEqual(waitForEpoll(epoll, 0), []);
  child.kill("SIGKILL");
  assert.deepEqual(waitForEpoll(epoll, 10_000), [{ key: 0, events: POLL.READABLE }]);
  await once(child, "exit");
  assert.throws(() => openProcess(child.pid!), { code: "ESRCH", errno: 3, syscall: "pidfd_open" });
  for (const fd of [epoll, pidfd]) closeDescriptor(fd);
});

test("signal 0 finds a thread that is there, and ESRCH one that is not", () => {
  signalThread(processId(), threadId(), 0);
  assert.throws(() => signalThread(processId(), 2 ** 30, 0), { code: "ESRCH", syscall: "tgkill" });
});

test("withUmask() sets the mask back, also after an error", () => {
  const before = umask();
  const seen = withUmask(0o177, () => umask());
  assert.equal(seen, "0177");
  assert.throws(() =>
    withUmask(0o177, () => {
      throw new Error("no");
    }),
  );
  assert.equal(umask(), before);
});

function umask(): string {
  return /Umask:\s*(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]!;
}
