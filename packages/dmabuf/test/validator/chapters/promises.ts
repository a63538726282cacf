/** Fences that user code decides, where one is wanted that always ends: refused before anything can wait for it. */
import type { Fence, FenceHandle, UserFence } from "../../../src/index.js";
import type { Case } from "../case.js";
import { publish } from "../parts.js";

export const PROMISES: readonly Case[] = [
  {
    id: "user-fence-in-reservation",
    mistake: "A buffer is to wait for what user code decides",
    code: "EINVAL",
    says: /user fence, which may never end/,
    wrong: {
      async client({ domain, a }) {
        using fence = domain.createUserFence({ name: "ready" });
        await publish(a, asFence(fence));
      },
    },
    right: {
      async client({ domain, a }) {
        using fence = domain.createUserFence({ name: "ready" });
        using work = domain.createTimeline({ name: "work" });
        const finished = work.createFence();
        await publish(a, finished);
        fence.signalAfter(finished);
        finished.signal();
        await fence.wait();
      },
    },
  },
  {
    id: "user-fence-in-array",
    mistake: "An array of fences has one that user code decides",
    code: "EINVAL",
    says: /user fence, which may never end/,
    wrong: {
      client({ domain }) {
        using fence = domain.createUserFence({ name: "ready" });
        using work = domain.createTimeline({ name: "work" });
        domain.createFenceArray([work.createFence(), asFence(fence)]);
      },
    },
    right: {
      async client({ domain }) {
        using fence = domain.createUserFence({ name: "ready" });
        using work = domain.createTimeline({ name: "work" });
        const finished = work.createFence();
        fence.signalAfter(domain.createFenceArray([finished]));
        finished.signal();
        await fence.wait();
      },
    },
  },
  {
    id: "user-fence-in-chain",
    mistake: "A point of a chain is what user code decides",
    code: "EINVAL",
    says: /user fence, which may never end/,
    wrong: {
      client({ domain }) {
        using fence = domain.createUserFence({ name: "ready" });
        domain.createFenceChain(undefined, asFence(fence), 1);
      },
    },
    right: {
      client({ domain }) {
        using work = domain.createTimeline({ name: "work" });
        const finished = work.createFence();
        domain.createFenceChain(undefined, finished, 1);
        finished.signal();
      },
    },
  },
  {
    id: "user-fence-in-syncobj",
    mistake: "A syncobj is to have a fence that user code decides",
    code: "EINVAL",
    says: /user fence, which may never end/,
    wrong: {
      client({ domain }) {
        using fence = domain.createUserFence({ name: "ready" });
        using syncobj = domain.createSyncobj();
        syncobj.replaceFence(asFence(fence));
      },
    },
    right: {
      async client({ domain }) {
        // To wait until a point is submitted is right, with nothing held.
        using syncobj = domain.createSyncobj();
        const waiting = syncobj.wait({ point: 1, forSubmit: true });
        syncobj.signalPoint(1);
        await waiting;
      },
    },
  },
  {
    id: "user-fence-in-sync-file",
    mistake: "A sync file is made of what user code decides",
    code: "EINVAL",
    says: /user fence, which may never end/,
    wrong: {
      client({ domain }) {
        using fence = domain.createUserFence({ name: "ready" });
        domain.createSyncFile(asFence(fence));
      },
    },
    right: {
      client({ domain }) {
        using work = domain.createTimeline({ name: "work" });
        const finished = work.createFence();
        using _file = domain.createSyncFile(finished);
        finished.signal();
      },
    },
  },
  {
    id: "user-fence-before-job",
    mistake: "A job depends on what user code decides",
    code: "EINVAL",
    says: /user fence, which may never end/,
    wrong: {
      async client({ domain }) {
        using fence = domain.createUserFence({ name: "ready" });
        using queue = domain.createQueue({ run: () => {} });
        await queue.submit({ dependencies: [asFence(fence)] });
      },
    },
    right: {
      async client({ domain }) {
        // It is waited for before there is a fence of the job that others could wait for.
        using fence = domain.createUserFence({ name: "ready" });
        using queue = domain.createQueue({ run: () => {} });
        setTimeout(() => fence.signal(), 10);
        await fence.wait();
        await (await queue.submit({})).wait();
      },
    },
  },
  {
    id: "user-fence-from-another",
    mistake: "What a client may signal at will is sent as the fence that a device signals",
    code: "EINVAL",
    says: /user fence, which may never end/,
    wrong: {
      async client({ domain, say, hear }) {
        using fence = domain.createUserFence({ name: "ready" });
        say("fence", fence.handle());
        await hear("refused");
      },
      async display({ domain, a, say, hear }) {
        const fence = domain.import(await hear<FenceHandle>("fence"));
        try {
          await publish(a, fence);
        } finally {
          say("refused");
        }
      },
    },
    right: {
      async client({ domain, say, hear }) {
        using work = domain.createTimeline({ name: "work" });
        const finished = work.createFence();
        say("fence", finished.handle());
        await hear("added");
        finished.signal();
      },
      async display({ domain, a, say, hear }) {
        await publish(a, domain.import(await hear<FenceHandle>("fence")));
        say("added");
        await a.reservation.wait("write");
      },
    },
  },
];

/** What the compiler refuses: a program in JavaScript has no compiler. */
function asFence(fence: UserFence): Fence {
  return fence as unknown as Fence;
}
