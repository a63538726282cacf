/** What code must not do between the publication of a fence and its signal: sections say where that is. */
import type { BufferHandleData, FenceHandle } from "../../../src/index.js";
import type { Case, Stage } from "../case.js";
import { begun, lockEach, pending, sleep, streamOf } from "../parts.js";

const XE = {
  project: "Linux, xe",
  title: "drm/xe/exec: A couple of fixes around the dma-fence signalling critical path",
  where: "https://gitlab.freedesktop.org/drm/xe/kernel/-/merge_requests/222",
};

export const SIGNALLING: readonly Case[] = [
  {
    id: "signalling-waits-for-fence",
    mistake: "Other work is waited for after the own fence was published",
    code: "wait-in-signalling",
    wrong: {
      async other({ domain, say, hear }) {
        const upload = pending(domain, "upload");
        say("upload", upload.handle());
        await hear("waiting");
        await sleep(50);
        upload.signal();
      },
      async driver({ domain, a, say, hear }) {
        const upload = domain.import(await hear<FenceHandle>("upload"));
        const fence = await begun(a, domain.createTimeline({ name: "work" }));
        await domain.signalling(async () => {
          say("waiting");
          await upload.wait();
          fence.signal();
        });
      },
    },
    right: {
      async other({ domain, say }) {
        const upload = pending(domain, "upload");
        say("upload", upload.handle());
        upload.signal();
      },
      async driver({ domain, a, hear }) {
        const upload = domain.import(await hear<FenceHandle>("upload"));
        await upload.wait();
        const fence = await begun(a, domain.createTimeline({ name: "work" }));
        await domain.signalling(async () => {
          await Promise.resolve();
          fence.signal();
        });
      },
    },
  },
  {
    id: "signalling-waits-for-buffer",
    mistake: "A section waits until a buffer has no work on it any more",
    code: "wait-in-signalling",
    wrong: {
      painter,
      async driver({ domain, a, say, hear }) {
        await hear("painting");
        await domain.signalling(async () => {
          say("waiting");
          await a.reservation.wait("write");
        });
      },
    },
    right: {
      painter,
      async driver({ domain, a, say, hear }) {
        await hear("painting");
        say("waiting");
        await a.reservation.wait("write");
        domain.signalling(() => a.reservation.testSignaled("write"));
      },
    },
  },
  {
    id: "signalling-accesses-buffer",
    mistake: "A job on the way to its fence takes an access, which waits for all other work",
    code: "wait-in-signalling",
    also: ["lock-in-signalling"],
    source: XE,
    wrong: {
      async driver({ domain, a }) {
        using queue = domain.createQueue({
          signalling: true,
          run: async () => void (await a.access("write")).close(),
        });
        await (await queue.submit({})).wait();
      },
    },
    right: {
      async driver({ domain, a }) {
        // What the job names, the submission has waited for.
        using queue = domain.createQueue({ signalling: true, run: (job) => void job.access(a).bytes.fill(1) });
        await (await queue.submit({ writes: [a] })).wait();
      },
    },
  },
  {
    id: "signalling-locks",
    mistake: "A job locks a reservation to note that it uses the buffer",
    code: "lock-in-signalling",
    source: {
      project: "Linux, msm",
      title: "drm/msm: Decouple vma tracking from obj lock",
      where: "b14b8c5f0eaf363e33c5410c96a6259dee6bd78e",
    },
    wrong: {
      async driver({ domain, a }) {
        using queue = domain.createQueue({ signalling: true, run: () => lockEach(a) });
        await (await queue.submit({})).wait();
      },
    },
    right: {
      async driver({ domain, a }) {
        let used = 0;
        using queue = domain.createQueue({ signalling: true, run: () => used++ });
        await lockEach(a);
        await (await queue.submit({})).wait();
      },
    },
  },
  {
    id: "signalling-locks-all",
    mistake: "The end of a frame locks all buffers of the screen before it signals",
    code: "lock-in-signalling",
    wrong: {
      async screen({ domain, a, b }) {
        const flip = await begun(a, domain.createTimeline({ name: "work" }));
        const cookie = domain.beginSignalling();
        (await domain.lockAll([a, b])).close();
        flip.signal();
        domain.endSignalling(cookie);
      },
    },
    right: {
      async screen({ domain, a, b }) {
        const flip = await begun(a, domain.createTimeline({ name: "work" }));
        const cookie = domain.beginSignalling();
        flip.signal();
        domain.endSignalling(cookie);
        (await domain.lockAll([a, b])).close();
      },
    },
  },
  {
    id: "signalling-locks-in-callback",
    mistake: "What a fence's callback does takes a lock that others hold while they wait for such fences",
    code: "lock-in-signalling",
    source: {
      project: "Linux, i915",
      title: "drm/i915/guc: Release submit fence from an irq_work",
      where: "b0d83888a32b30cb95bee7385151ac58d51a2340",
    },
    wrong: {
      async driver({ domain, a, b }) {
        const request = await begun(a, domain.createTimeline({ name: "work" }));
        request.addCallback(() => b.reservation.lockSync().close());
        using _section = domain.signallingSection();
        request.signal();
      },
    },
    right: {
      async driver({ domain, a, b }) {
        const request = await begun(a, domain.createTimeline({ name: "work" }));
        request.addCallback(() => b.reservation.tryLock()?.close());
        using _section = domain.signallingSection();
        request.signal();
      },
    },
  },
  {
    id: "signalling-maps",
    mistake: "A section maps a buffer, which its exporter in another agent must allow",
    code: "request-in-signalling",
    also: ["lock-in-signalling", "wait-in-signalling"],
    wrong: {
      exporter: exporter(),
      async driver({ domain, say, hear }) {
        using buffer = domain.import(await hear<BufferHandleData>("buffer"));
        using attachment = await buffer.attach({ name: "device" });
        await domain.signalling(async () => (await attachment.map("write")).close());
        say("done");
      },
    },
    right: {
      exporter: exporter(),
      async driver({ domain, say, hear }) {
        using buffer = domain.import(await hear<BufferHandleData>("buffer"));
        using attachment = await buffer.attach({ name: "device" });
        using mapping = await attachment.map("write");
        await domain.signalling(async () => mapping.segments.length);
        say("done");
      },
    },
  },
  {
    id: "signalling-attaches",
    mistake: "A job attaches a device to a buffer, which its exporter in another agent may refuse or delay",
    code: "request-in-signalling",
    also: ["lock-in-signalling", "wait-in-signalling"],
    wrong: {
      exporter: exporter(),
      async driver({ domain, say, hear }) {
        using buffer = domain.import(await hear<BufferHandleData>("buffer"));
        using queue = domain.createQueue({
          signalling: true,
          run: async () => void (await buffer.attach({ name: "device" })).close(),
        });
        await (await queue.submit({})).wait();
        say("done");
      },
    },
    right: {
      exporter: exporter(),
      async driver({ domain, say, hear }) {
        using buffer = domain.import(await hear<BufferHandleData>("buffer"));
        using attachment = await buffer.attach({ name: "device" });
        using queue = domain.createQueue({ signalling: true, run: () => void attachment.isDynamic });
        await (await queue.submit({})).wait();
        say("done");
      },
    },
  },
  {
    id: "signalling-allocates",
    mistake: "A job allocates a buffer before it can end",
    code: "allocate-in-signalling",
    source: {
      project: "Linux, panthor",
      title: "panthor: Support non-blocking allocation for tiler heap chunks",
      where: "https://gitlab.freedesktop.org/panfrost/linux/-/issues/32",
    },
    wrong: {
      async tiler({ domain }) {
        using queue = domain.createQueue({ signalling: true, run: () => domain.allocate(4096).close() });
        await (await queue.submit({})).wait();
      },
    },
    right: {
      async tiler({ domain }) {
        using chunk = domain.allocate(4096);
        using queue = domain.createQueue({ signalling: true, run: () => void chunk.size });
        await (await queue.submit({})).wait();
      },
    },
  },
  {
    id: "signalling-makes-stream",
    mistake: "A stream with its buffers is made inside a section",
    code: "allocate-in-signalling",
    wrong: {
      driver({ domain }) {
        using _section = domain.signallingSection();
        streamOf(domain, 1).close();
      },
    },
    right: {
      driver({ domain }) {
        using stream = streamOf(domain, 1);
        using _section = domain.signallingSection();
        stream.tryLoan()?.close();
      },
    },
  },
  {
    id: "signalling-makes-timeline",
    mistake: "A fence for the next step is made where the last one is to be signaled, and there may be no place for it",
    code: "allocate-in-signalling",
    source: XE,
    wrong: {
      async driver({ domain, a }) {
        const fence = await begun(a, domain.createTimeline({ name: "work" }));
        domain.signalling(() => {
          domain.createTimeline({ name: "next" }).close();
          fence.signal();
        });
      },
    },
    right: {
      async driver({ domain, a }) {
        using next = domain.createTimeline({ name: "next" });
        const fence = await begun(a, domain.createTimeline({ name: "work" }));
        domain.signalling(() => {
          next.createFence();
          fence.signal();
        });
      },
    },
  },
  {
    id: "signalling-not-ended",
    mistake: "A section is not ended where the work in it fails",
    code: "unbalanced-signalling",
    wrong: {
      async driver({ domain, a, collectGarbage }) {
        const fence = await begun(a, domain.createTimeline({ name: "work" }));
        try {
          domain.beginSignalling();
          throw new Error("The device has not answered");
        } catch {
          fence.setError("EIO");
          fence.signal();
        }
        await collectGarbage();
      },
    },
    right: {
      async driver({ domain, a, collectGarbage }) {
        const fence = await begun(a, domain.createTimeline({ name: "work" }));
        try {
          using _section = domain.signallingSection();
          throw new Error("The device has not answered");
        } catch {
          fence.setError("EIO");
          fence.signal();
        }
        await collectGarbage();
      },
    },
  },
  {
    id: "signalling-ended-twice",
    mistake: "A section is ended twice",
    code: "unbalanced-signalling",
    wrong: {
      driver({ domain }) {
        const cookie = domain.beginSignalling();
        domain.endSignalling(cookie);
        domain.endSignalling(cookie);
      },
    },
    right: {
      driver({ domain }) {
        const outer = domain.beginSignalling();
        const inner = domain.beginSignalling();
        domain.endSignalling(inner);
        domain.endSignalling(outer);
      },
    },
  },
];

/** A part that exports a buffer, and waits until another one has done with it. */
function exporter() {
  return async ({ domain, say, hear, createMemory }: Stage): Promise<void> => {
    const segments = [createMemory()];
    using buffer = domain.export(segments, { ops: { map: () => segments, unmap() {}, release() {}, attach() {} } });
    say("buffer", buffer.handle());
    await hear("done");
  };
}

/** A part whose work on a buffer ends when another one waits for it. */
async function painter({ domain, a, say, hear }: Stage): Promise<void> {
  const painted = await begun(a, domain.createTimeline({ name: "painter" }));
  say("painting");
  await hear("waiting");
  await sleep(50);
  painted.signal();
}
