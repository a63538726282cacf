/** Fences that can never signal: the code that is to signal them waits for them, or no code is to. */
import type { DmaBuf, Fence, FenceHandle, JoinedDomain, UserFenceHandleData } from "../../../src/index.js";
import type { Case } from "../case.js";
import { begun, pending, sleep } from "../parts.js";

export const OWN_FENCES: readonly Case[] = [
  {
    id: "own-blocked",
    mistake: "A thread blocks itself for a fence that only it can signal",
    code: "own-fence",
    also: ["deadlock"],
    wrong: {
      only({ domain }) {
        const fence = pending(domain);
        fence.waitSync();
        fence.signal();
      },
    },
    right: {
      only({ domain }) {
        const fence = pending(domain);
        fence.signal();
        fence.waitSync();
      },
    },
  },
  {
    id: "own-buffer",
    mistake: "A thread blocks itself for a buffer on which only its own work is pending",
    code: "own-fence",
    also: ["deadlock"],
    wrong: {
      async only({ domain, a }) {
        const fence = await begun(a, domain.createTimeline({ name: "work" }));
        a.reservation.waitSync("read");
        fence.signal();
      },
    },
    right: {
      async only({ domain, a }) {
        const fence = await begun(a, domain.createTimeline({ name: "work" }));
        setTimeout(() => fence.signal(), 20);
        await a.reservation.wait("read");
      },
    },
  },
  {
    id: "own-queue",
    mistake: "A job submits another job to its own queue, and waits for it",
    code: "own-fence",
    also: ["lock-order", "deadlock"],
    culprits: ["pool"],
    source: {
      project: "GDAL",
      title: "CPLWorkerThreadPool::SubmitJob(): avoid potential deadlock when called from worker thread",
      where: "https://github.com/OSGeo/gdal/pull/6389",
    },
    wrong: {
      async pool({ domain }) {
        using queue = domain.createQueue<boolean>({
          async run({ data: hasPart }) {
            if (hasPart) await (await queue.submit({ data: false })).wait({ timeout: 2000 });
          },
        });
        await (await queue.submit({ data: true })).wait();
      },
    },
    right: {
      async pool({ domain }) {
        using queue = domain.createQueue<boolean>({
          async run({ data: hasPart }) {
            if (hasPart) await queue.submit({ data: false });
          },
        });
        await (await queue.submit({ data: true })).wait();
        await queue.flush();
      },
    },
  },
  {
    id: "own-job",
    mistake: "A job waits for its own end",
    code: "own-fence",
    also: ["lock-order", "deadlock"],
    source: {
      project: "Linux, i915",
      title: "drm/i915/fence: Avoid del_timer_sync() from inside a timer",
      where: "81c0ed21aa91230ab6c0de945155aa5c0626d001",
    },
    wrong: {
      async timer({ domain }) {
        using queue = domain.createQueue({ run: async (job) => void (await job.finished.wait({ timeout: 300 })) });
        await (await queue.submit({})).wait();
      },
    },
    right: {
      async timer({ domain }) {
        let ended = 0;
        using queue = domain.createQueue({ run: (job) => void job.finished.addCallback(() => ended++) });
        await (await queue.submit({})).wait();
      },
    },
  },
  {
    id: "own-last",
    mistake: "What ends a process runs on the queue for whose last job it waits",
    code: "own-fence",
    also: ["lock-order", "deadlock"],
    source: {
      project: "Linux, amdkfd",
      title: "drm/amdkfd: svm range restore work deadlock when process exit",
      where: "6225bb3a88d22594aacea2485dc28ca12d596721",
    },
    wrong: {
      async restore({ domain }) {
        const submitted: Fence[] = [];
        using queue = domain.createQueue<boolean>({
          async run({ data: isRelease }) {
            await sleep(20);
            if (isRelease) await submitted.at(-1)!.wait({ timeout: 300 });
          },
        });
        await queue.submit({ data: true });
        submitted.push(await queue.submit({ data: false }));
        await submitted[0]!.wait();
      },
    },
    right: {
      async restore({ domain }) {
        using queue = domain.createQueue<boolean>({ run: () => {} });
        await queue.submit({ data: true });
        const last = await queue.submit({ data: false });
        await last.wait();
      },
    },
  },
  {
    id: "own-order",
    mistake: "A job waits for what a later job of the same queue is to signal",
    code: "own-fence",
    also: ["lock-order", "deadlock"],
    source: {
      project: "Vulkan-Docs",
      title:
        "[Specification] Request for clarification on timeline semaphore wait-before-signal behavior within the same queue",
      where: "https://github.com/KhronosGroup/Vulkan-Docs/issues/1262",
    },
    wrong: {
      async device({ domain }) {
        using queue = domain.createQueue<() => Promise<void> | void>({ run: ({ data }) => data() });
        const submitted: Fence[] = [];
        await queue.submit({
          async data() {
            await sleep(20);
            await submitted.at(-1)!.wait({ timeout: 300 });
          },
        });
        submitted.push(await queue.submit({ data: () => {} }));
        await submitted[0]!.wait();
      },
    },
    right: {
      async device({ domain }) {
        using first = domain.createQueue<() => Promise<void> | void>({ run: ({ data }) => data() });
        using second = domain.createQueue({ run: () => {} });
        const signaled = await second.submit({});
        const waiter = await first.submit({ data: async () => void (await signaled.wait()) });
        await waiter.wait();
      },
    },
  },
  {
    id: "own-awaited",
    mistake: "An agent awaits a fence before the only code that signals it",
    code: "own-fence",
    wrong: {
      async loader({ domain }) {
        using timeline = domain.createTimeline({ name: "loader", timeLimit: 300 });
        const loaded = timeline.createFence();
        await loaded.wait();
        loaded.signal();
      },
    },
    right: {
      async loader({ domain }) {
        using timeline = domain.createTimeline({ name: "loader" });
        const loaded = timeline.createFence();
        setTimeout(() => loaded.signal(), 20);
        await loaded.wait();
      },
    },
  },
  {
    id: "own-user-fence",
    mistake: "A thread blocks itself for a user fence that no other agent has",
    code: "EDEADLK",
    says: /no other agent has user fence "ready"/,
    wrong: {
      only({ domain }) {
        using ready = domain.createUserFence({ name: "ready" });
        ready.waitSync();
        ready.signal();
      },
    },
    right: {
      async first({ domain, say, hear }) {
        using ready = domain.createUserFence({ name: "ready" });
        say("ready", ready.handle());
        await hear("here");
        ready.waitSync();
      },
      async second({ domain, say, hear }) {
        using ready = domain.import(await hear<UserFenceHandleData>("ready"));
        say("here");
        ready.signal();
      },
    },
  },
  {
    id: "own-lost",
    mistake: "A submission fails when its fence is on the buffer already, and nothing is left that could signal it",
    code: "own-fence",
    wrong: {
      async driver({ domain, a, collectGarbage }) {
        await submit(domain, a).catch(() => {});
        await collectGarbage();
      },
    },
    right: {
      async driver({ domain, a, collectGarbage }) {
        const fence = await begun(a, domain.createTimeline({ name: "work" }));
        try {
          throw new Error("The ring is full");
        } catch {
          fence.setError("EIO");
          fence.signal();
        }
        await collectGarbage();
      },
    },
  },
  {
    id: "own-no-end",
    mistake: "A fence's timeline is dropped while others wait for the fence: no agent holds its end",
    code: "own-fence",
    also: ["fence-dropped"],
    source: {
      project: "Linux, vmwgfx",
      title: "drm/vmwgfx: Stabilize the command buffer submission code",
      where: "09dc1387c9c06cdaf55bc99b35238bd2ec0aed4b",
    },
    wrong: {
      async submission({ domain, say, hear, collectGarbage }) {
        say("fence", pending(domain, "commands").handle());
        await hear("waiting");
        await collectGarbage();
      },
      async waiter({ domain, say, hear }) {
        const fence = domain.import(await hear<FenceHandle>("fence"));
        say("waiting");
        await fence.wait({ timeout: 2000 });
      },
    },
    right: {
      async submission({ domain, say, hear, collectGarbage }) {
        using commands = domain.createTimeline({ name: "commands" });
        const fence = commands.createFence();
        say("fence", fence.handle());
        await hear("waiting");
        await collectGarbage();
        fence.setError("EIO");
        fence.signal();
      },
      async waiter({ domain, say, hear }) {
        const fence = domain.import(await hear<FenceHandle>("fence"));
        say("waiting");
        await fence.wait();
      },
    },
  },
];

async function submit(domain: JoinedDomain, buffer: DmaBuf): Promise<Fence> {
  const fence = await begun(buffer, domain.createTimeline({ name: "work" }));
  if (buffer.size > 0) throw new Error("The ring is full");
  return fence;
}
