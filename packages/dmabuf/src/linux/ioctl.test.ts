import assert from "node:assert/strict";
import { test } from "node:test";
import { DMA_BUF } from "./dma-buf.js";
import { DRM } from "./drm/device.js";
import { MODE } from "./drm/mode-requests.js";
import { SYNCOBJ } from "./drm/syncobj-requests.js";
import { DMA_HEAP } from "./heap.js";
import { call, ioctlNumber } from "./ioctl.js";
import { SW_SYNC } from "./software-sync.js";
import { SYNC_FILE } from "./sync-file.js";
import { UDMABUF } from "./udmabuf.js";
import { VIDEO } from "./video/requests.js";

test("a request's number holds direction, size, type and number", () => {
  assert.equal(ioctlNumber("none", "d", 0x1e, 0), 0x641e);
  assert.equal(ioctlNumber("write", "b", 0, 8), 0x4008_6200);
  assert.equal(ioctlNumber("read", "V", 0, 104), 0x8068_5600);
  assert.equal(ioctlNumber("read-write", "H", 0, 24), 0xc018_4800);
});

test("the requests have the numbers that other programs were compiled with", () => {
  const numbers = {
    [DMA_BUF.SYNC.number]: 0x4008_6200,
    [DMA_BUF.SET_NAME.number]: 0x4008_6201,
    [DMA_BUF.EXPORT_SYNC_FILE.number]: 0xc008_6202,
    [DMA_BUF.IMPORT_SYNC_FILE.number]: 0x4008_6203,
    [SYNC_FILE.MERGE.number]: 0xc030_3e03,
    [SYNC_FILE.FILE_INFO.number]: 0xc038_3e04,
    [SYNC_FILE.SET_DEADLINE.number]: 0x4010_3e05,
    [SW_SYNC.CREATE_FENCE.number]: 0xc028_5700,
    [SW_SYNC.INC.number]: 0x4004_5701,
    [SW_SYNC.GET_DEADLINE.number]: 0xc010_5702,
    [DMA_HEAP.ALLOC.number]: 0xc018_4800,
    [UDMABUF.CREATE.number]: 0x4018_7542,
    [UDMABUF.CREATE_LIST.number]: 0x4008_7543,
    [DRM.VERSION.number]: 0xc040_6400,
    [DRM.PRIME_HANDLE_TO_FD.number]: 0xc00c_642d,
    [DRM.CREATE_DUMB.number]: 0xc020_64b2,
    [SYNCOBJ.WAIT.number]: 0xc020_64c3,
    [SYNCOBJ.TIMELINE_WAIT.number]: 0xc028_64ca,
    [SYNCOBJ.EVENTFD.number]: 0xc018_64cf,
    [MODE.SET_MASTER.number]: 0x641e,
    [MODE.GETCONNECTOR.number]: 0xc050_64a7,
    [MODE.ADDFB2.number]: 0xc068_64b8,
    [MODE.ATOMIC.number]: 0xc038_64bc,
    [VIDEO.S_FMT.number]: 0xc0d0_5605,
    [VIDEO.QBUF.number]: 0xc058_560f,
    [VIDEO.EXPBUF.number]: 0xc040_5610,
    [VIDEO.STREAMON.number]: 0x4004_5612,
  };
  for (const [number, wanted] of Object.entries(numbers)) assert.equal(Number(number), wanted);
});

test(
  "a failed request says what was tried, and what the errno means there",
  { skip: process.platform !== "linux" },
  () => {
    const attempt = (): unknown => call(99_999, DMA_BUF.SYNC, {}, "Cannot begin", { EBADF: "it is closed" });
    assert.throws(attempt, {
      code: "EBADF",
      syscall: "ioctl",
      message: "EBADF: Cannot begin: DMA_BUF_IOCTL_SYNC failed: it is closed",
    });
  },
);
