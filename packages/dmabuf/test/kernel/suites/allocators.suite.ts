/** Area J on the kernel's descriptors alone: heaps and udmabuf. */
import assert from "node:assert/strict";
import { PAGE_SIZE } from "../../../src/index.js";
import {
  createSealedMemory,
  descriptorFrom,
  dmaBufFrom,
  DmaHeap,
  createMemoryView,
  UdmabufDevice,
} from "../../../src/linux/index.js";
import { DMA_HEAP } from "../../../src/linux/heap.js";
import { ioctlNumber, rawCall } from "../../../src/linux/ioctl.js";
import { UDMABUF, UDMABUF_HEAD, UDMABUF_ITEM } from "../../../src/linux/udmabuf.js";
import {
  addSeals,
  callError,
  createMemoryFile,
  isClosedOnExec,
  lastErrno,
  nativeFunction,
  SEAL,
  setFileLength,
} from "../../../src/node/system-calls/index.js";
import { CLOSED, kernelTest, refuses, unknownRequest, withRegularFile } from "../cases/kernel-test.js";
import { fails } from "../support.js";

const MAP_PRIVATE = 2;
const PROT_READ = 1;

const mmap = nativeFunction(
  "intptr_t mmap(uintptr_t address, size_t length, int protection, int flags, int fd, int64_t offset)",
);

for (const [id, size] of [
  ["HEP-03", 16],
  ["HEP-04", 40],
] as const) {
  kernelTest(`${id} a structure of ${size} instead of 24 bytes allocates too`, ({ heap }) => {
    const bytes = new Uint8Array(new ArrayBuffer(size));
    new DataView(bytes.buffer).setBigUint64(0, BigInt(PAGE_SIZE), true);
    new DataView(bytes.buffer).setUint32(12, 0o2000002, true);
    bytes.fill(0xee, 24);
    rawCall(heap.fd, { name: "ALLOC", number: ioctlNumber("read-write", "H", 0, size) }, bytes, "Cannot allocate");
    using buffer = dmaBufFrom(new DataView(bytes.buffer).getUint32(8, true));
    assert.equal(buffer.size, PAGE_SIZE);
  });
}

kernelTest("HEP-05 only a heap allocates: ENOTTY, and EBADF for a closed descriptor", ({ heap }) => {
  using buffer = heap.allocate(PAGE_SIZE);
  refuses(buffer, DMA_HEAP.ALLOC, ["ENOTTY", { len: PAGE_SIZE }]);
  withRegularFile((file) => refuses(file, DMA_HEAP.ALLOC, ["ENOTTY", { len: PAGE_SIZE }]));
  refuses(descriptorFrom(CLOSED, "nothing"), DMA_HEAP.ALLOC, ["EBADF", { len: PAGE_SIZE }]);
  fails("ENOENT", () => DmaHeap.open("none"));
  fails("EINVAL", () => DmaHeap.open("../null"));
});

for (const [id, field] of [
  ["HEP-06", { heapFlags: 0x111111 }],
  ["HEP-07", { fdFlags: 0o10 }],
  ["HEP-08", { fd: 3 }],
  ["HEP-09", { len: 0 }],
] as const) {
  kernelTest(`${id} ${Object.keys(field)[0]} that is not as it must be is EINVAL`, ({ heap }) => {
    refuses(heap, DMA_HEAP.ALLOC, ["EINVAL", { len: PAGE_SIZE, ...field }]);
  });
}

kernelTest("HEP-10 an unknown request to a heap is EINVAL", ({ heap }) => unknownRequest(heap, "H", "EINVAL"));

/** A sealed memory file of four pages, and what makes dma-bufs of it. */
function withMemory(run: (udmabuf: UdmabufDevice, memfd: number) => void): void {
  using udmabuf = UdmabufDevice.open();
  using memory = createSealedMemory("test", 4 * PAGE_SIZE);
  run(udmabuf, memory.fd);
}

const HALF = PAGE_SIZE / 2;

for (const [id, range] of [
  ["UDM-01", { offset: HALF, size: PAGE_SIZE }],
  ["UDM-02", { offset: 0, size: HALF }],
  ["UDM-02", { offset: 0, size: 0 }],
  ["UDM-04", { offset: 4 * PAGE_SIZE, size: PAGE_SIZE }],
] as const) {
  kernelTest(`${id} a range of ${range.size} bytes at ${range.offset} is EINVAL`, () => {
    withMemory((udmabuf, memfd) => {
      fails("EINVAL", () => udmabuf.create({ memfd, ...range }));
      fails("EINVAL", () => udmabuf.createList([{ memfd, ...range }]));
    });
  });
}

kernelTest("UDM-03 what is no memory file is EBADFD", () => {
  withMemory((udmabuf) => {
    for (const memfd of [0, udmabuf.fd, CLOSED])
      fails("EBADFD", () => udmabuf.create({ memfd, offset: 0, size: PAGE_SIZE }));
  });
});

kernelTest("UDM-04 the pages of a memory file become a buffer of their size", () => {
  withMemory((udmabuf, memfd) => {
    using buffer = udmabuf.create({ memfd, offset: 0, size: 4 * PAGE_SIZE });
    assert.deepEqual([buffer.size, isClosedOnExec(buffer.fd)], [4 * PAGE_SIZE, true]);
    unknownRequest(udmabuf, "u");
  });
});

kernelTest("UDM-05 a memory file without the seal against shrinking, or sealed against writing, is EINVAL", () => {
  using udmabuf = UdmabufDevice.open();
  for (const seals of [0, SEAL.SHRINK | SEAL.WRITE, SEAL.GROW]) {
    using memory = descriptorFrom(createMemoryFile("test"), "the memory file");
    setFileLength(memory.fd, PAGE_SIZE);
    addSeals(memory.fd, seals);
    fails("EINVAL", () => udmabuf.create({ memfd: memory.fd, offset: 0, size: PAGE_SIZE }));
  }
});

kernelTest("UDM-06 pieces of a memory file are one buffer in their order, and stay the file's", () => {
  withMemory((udmabuf, memfd) => {
    using file = udmabuf.create({ memfd, offset: 0, size: 4 * PAGE_SIZE });
    using whole = file.map();
    for (let page = 0; page < 4; page++) whole.bytes.fill(page + 1, page * PAGE_SIZE, (page + 1) * PAGE_SIZE);
    using buffer = udmabuf.createList([2, 0, 3].map((page) => ({ memfd, offset: page * PAGE_SIZE, size: PAGE_SIZE })));
    using view = buffer.map();
    const firsts = (): number[] => [0, 1, 2].map((page) => view.bytes[page * PAGE_SIZE]!);
    assert.deepEqual(firsts(), [3, 1, 4]);
    whole.bytes[0] = 99;
    assert.deepEqual(firsts(), [3, 99, 4]);
  });
});

kernelTest("UDM-07 more pieces than the limit are EINVAL, and so is more memory", () => {
  withMemory((udmabuf, memfd) => {
    const many = Array.from({ length: 1025 }, () => ({ memfd, offset: 0, size: PAGE_SIZE }));
    fails("EINVAL", () => udmabuf.createList(many));
    fails("EINVAL", () => udmabuf.createList([]));
    const head = UDMABUF_HEAD.pack({ count: 2 });
    const argument = new Uint8Array(new ArrayBuffer(head.length + 2 * UDMABUF_ITEM.size));
    argument.set(head);
    fails("EINVAL", () => rawCall(udmabuf.fd, UDMABUF.CREATE_LIST, argument, "Cannot make a list"));
    using large = createSealedMemory("large", 65 << 20);
    fails("EINVAL", () => udmabuf.create({ memfd: large.fd, offset: 0, size: 65 << 20 }));
  });
});

kernelTest("UDM-08 the end of an access that never began is EINVAL", () => {
  withMemory((udmabuf, memfd) => {
    using buffer = udmabuf.create({ memfd, offset: 0, size: PAGE_SIZE });
    fails("EINVAL", () => buffer.endCpuAccess("write"));
    buffer.beginCpuAccessSync("write");
    buffer.endCpuAccess("write");
  });
});

kernelTest("UDM-09 a private mapping of a udmabuf is EINVAL", () => {
  withMemory((udmabuf, memfd) => {
    using buffer = udmabuf.create({ memfd, offset: 0, size: PAGE_SIZE });
    const address = mmap(0, PAGE_SIZE, PROT_READ, MAP_PRIVATE, buffer.fd, 0);
    assert.equal(address, -1);
    assert.equal(callError(lastErrno(), "mmap", "Cannot map").code, "EINVAL");
  });
});

kernelTest("a udmabuf of pages that were only reserved reads as zero, and keeps what is written there", ({ heap }) => {
  // What is freed here comes again.
  {
    using dirty = heap.allocate(64 << 20);
    using view = dirty.map();
    view.bytes.fill(0xee);
  }
  const size = 4 << 20;
  using memory = createSealedMemory("reserved", size);
  using udmabuf = UdmabufDevice.open();
  using buffer = udmabuf.createList([{ memfd: memory.fd, offset: 0, size }]);
  using there = buffer.map();
  assert.equal(
    there.bytes.findIndex((byte) => byte !== 0),
    -1,
  );
  there.bytes.fill(7);
  using here = createMemoryView(memory.fd, "read", { length: size });
  assert.equal(
    here.bytes.findIndex((byte) => byte !== 7),
    -1,
  );
});
