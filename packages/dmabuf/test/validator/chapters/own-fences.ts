/** Fences that can never signal: the code that is to signal them waits for them, or no code is to. */
import type { DmaBuf, Fence, FenceHandle, JoinedDomain, UserFenceHandleData } from "../../../src/index.js";
import type { Case } from "../case.js";
import { begun, pending } from "../parts.js";

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
        const fence = await begun(domain, a);
        a.reservation.waitSync("read");
        fence.signal();
      },
    },
    right: {
      async only({ domain, a }) {
        const fence = await begun(domain, a);
        setTimeout(() => fence.signal(), 20);
        await a.reservation.wait("read");
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
        const fence = await begun(domain, a);
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
  const fence = await begun(domain, buffer);
  if (buffer.size > 0) throw new Error("The ring is full");
  return fence;
}
