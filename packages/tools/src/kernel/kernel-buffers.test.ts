import assert from "node:assert/strict";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { test } from "node:test";
import { Domain } from "dmabuf";
import { kernelBuffers, parseBufferInfo } from "./kernel-buffers.js";

/** As `dma_buf_debug_show` of linux/drivers/dma-buf/dma-buf.c writes it. */
const TEXT = `
Dma-buf Objects:
size    \tflags   \tmode    \tcount   \texp_name\tino     \tname
00008192\t00000002\t00080007\t00000003\tsystem\t00000021\tframe of\tcamera
\twrite fence:vgem unbound seq 1 signalled
\tread fence:amdgpu gfx_0.0.0 seq 77 unsignalled
\tAttached Devices:
\tvgem
\t0000:03:00.0
Total 2 devices attached

1048576000\t00000002\t00080007\t00000001\tudmabuf\t123456789\t<none>
\tAttached Devices:
Total 0 devices attached


Total 2 objects, 1048584192 bytes
`;

test("the text of debugfs is read: sizes, names, references, fences and devices", () => {
  assert.deepEqual(parseBufferInfo(TEXT), [
    {
      inode: 21,
      name: "frame of\tcamera",
      size: 8192,
      exporterName: "system",
      references: 3,
      processes: [],
      fences: ["write fence:vgem unbound seq 1 signalled", "read fence:amdgpu gfx_0.0.0 seq 77 unsignalled"],
      devices: ["vgem", "0000:03:00.0"],
    },
    {
      inode: 123456789,
      name: "",
      size: 1048576000,
      exporterName: "udmabuf",
      references: 1,
      processes: [],
      fences: [],
      devices: [],
    },
  ]);
});

test("a domain's own text in the kernel's columns is read, too", () => {
  using domain = Domain.create();
  using _buffer = domain.allocate(4096, { name: "frame" });
  const [buffer, ...others] = parseBufferInfo(domain.bufferInfo());
  assert.deepEqual([buffer!.name, buffer!.size, others], ["frame", 4096, []]);
});

test("of a process without the kernel's dma-bufs there are none, and of one that is gone as well", () => {
  assert.deepEqual(kernelBuffers([process.pid]).buffers, []);
  assert.deepEqual(kernelBuffers([2 ** 22 + 1]).buffers, []);
});

test("a process's descriptor of a dma-buf is looked at, and never opened (kernel-buffers.1)", (t) => {
  const descriptor = fs.openSync("/dev/null", "r");
  const path = `/proc/${process.pid}/fd/${descriptor}`;
  const called: string[] = [];
  const all = fs as unknown as Record<string, (...args: readonly unknown[]) => unknown>;
  for (const name of Object.keys(fs).filter((name) => /^[a-z]/.test(name) && typeof all[name] === "function")) {
    const real = all[name]!;
    t.mock.method(all, name, (...args: readonly unknown[]) => {
      if (String(args[0]).startsWith(`/proc/${process.pid}/`)) called.push(`${name} ${String(args[0])}`);
      // Where there is no dma-buf, another descriptor says that it is one.
      return name === "readlinkSync" && args[0] === path ? "/dmabuf:frame" : real(...args);
    });
  }
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
    fs.closeSync(descriptor);
  });
  syncBuiltinESMExports();
  const { buffers } = kernelBuffers([process.pid]);
  assert.deepEqual(
    buffers.map(({ processes }) => processes),
    [[process.pid]],
  );
  const ofIt = called.filter((call) => call.endsWith(path));
  assert.deepEqual(ofIt, [`readlinkSync ${path}`, `statSync ${path}`]);
  const opened = called.filter((call) => !/^(readdirSync|readlinkSync|statSync) /.test(call));
  assert.deepEqual(opened, [`readFileSync ${path.replace("/fd/", "/fdinfo/")}`]);
});
