// cspell:ignore seperate
/** Agents that wait for each other: these programs hang, and `explain()` says because of whom. */
import type { FenceHandle, StreamHandleData } from "../../../src/index.js";
import type { Case } from "../case.js";
import { lockEach, pending, publishFrame, streamOf } from "../parts.js";

export const HANGS: readonly Case[] = [
  {
    id: "hang-accesses",
    mistake: "Two agents write to a buffer each, and wait for the other's",
    code: "deadlock",
    also: ["lock-order"],
    culprits: ["first", "second"],
    wrong: {
      async first({ a, b, say, hear }) {
        using _mine = await a.access("write");
        say("first");
        await hear("second");
        using _theirs = await b.access("write");
      },
      async second({ a, b, say, hear }) {
        using _mine = await b.access("write");
        say("second");
        await hear("first");
        using _theirs = await a.access("write");
      },
    },
    right: {
      async first({ a, b }) {
        using _one = await a.access("write");
        using _two = await b.access("write");
      },
      async second({ a, b }) {
        using _one = await a.access("write");
        using _two = await b.access("write");
      },
    },
  },
  {
    id: "hang-ring",
    mistake: "Three agents lock a buffer each, and wait for the next one's",
    code: "deadlock",
    also: ["lock-order"],
    culprits: ["first", "second", "third"],
    wrong: {
      async first({ a, b, say, hear }) {
        using _mine = await a.reservation.lock();
        say("first");
        await Promise.all([hear("second"), hear("third")]);
        await lockEach(b);
      },
      async second({ b, c, say, hear }) {
        using _mine = await b.reservation.lock();
        say("second");
        await Promise.all([hear("first"), hear("third")]);
        await lockEach(c);
      },
      async third({ a, c, say, hear }) {
        using _mine = await c.reservation.lock();
        say("third");
        await Promise.all([hear("first"), hear("second")]);
        await lockEach(a);
      },
    },
    right: {
      async first({ domain, a, b }) {
        using _both = await domain.lockAll([a, b]);
      },
      async second({ domain, b, c }) {
        using _both = await domain.lockAll([b, c]);
      },
      async third({ domain, a, c }) {
        using _both = await domain.lockAll([c, a]);
      },
    },
  },
  {
    id: "hang-held-frames",
    mistake: "A consumer keeps all frames of a stream, and waits for one more",
    code: "ETIMEDOUT",
    says: /"viewer"/,
    culprits: ["viewer"],
    source: {
      project: "three.js",
      title: "Fix video decoder stalls issue in webgpu_video_frame.html",
      where: "https://github.com/mrdoob/three.js/pull/30380",
    },
    wrong: {
      async decoder({ domain, say }) {
        using stream = streamOf(domain, 2);
        say("stream", stream.handle());
        await stream.waitForConsumers(1);
        for (let picture = 0; picture < 3; picture++) (await stream.loan({ timeout: 2000 }))!.publish();
      },
      async viewer({ domain, hear }) {
        using stream = domain.import(await hear<StreamHandleData>("stream"));
        using consumer = stream.frames();
        const shown = [];
        for (let picture = 0; picture < 3; picture++) shown.push(await consumer.next());
        for (const frame of shown) frame?.close();
      },
    },
    right: {
      async decoder({ domain, say, hear }) {
        using stream = streamOf(domain, 2);
        say("stream", stream.handle());
        await stream.waitForConsumers(1);
        for (let picture = 0; picture < 3; picture++) await publishFrame(stream);
        await hear("shown");
      },
      async viewer({ domain, say, hear }) {
        using stream = domain.import(await hear<StreamHandleData>("stream"));
        using consumer = stream.frames();
        let last;
        for (let picture = 0; picture < 3; picture++) {
          const frame = await consumer.next();
          last?.close();
          last = frame;
        }
        last?.close();
        say("shown");
      },
    },
  },
  {
    id: "hang-upgrade",
    mistake: "An agent wants to write to what it reads just now",
    code: "deadlock",
    also: ["lock-order", "own-fence"],
    culprits: ["resumed"],
    source: {
      project: "Linux, nouveau",
      title: "drm/nouveau: Handle fbcon suspend/resume in seperate worker",
      where: "15266ae38fe09dae07bd8812cb7a7717b1e1d992",
    },
    wrong: {
      async resumed({ a }) {
        using console = await a.access("read");
        if (console.bytes[0] === 0) (await a.access("write")).close();
      },
    },
    right: {
      async resumed({ a }) {
        const isEmpty = await firstByte(a);
        if (isEmpty) (await a.access("write")).close();
        async function firstByte(buffer: typeof a): Promise<boolean> {
          using console = await buffer.access("read");
          return console.bytes[0] === 0;
        }
      },
    },
  },
  {
    id: "hang-wait-with-lock",
    mistake: "An agent waits for a fence with a lock held that its signaler waits for",
    code: "ETIMEDOUT",
    says: /"signaler"/,
    culprits: ["waiter", "signaler"],
    source: {
      project: "Vulkan-ValidationLayers",
      title: "Timeout in `vkGetSemaphoreCounterValue` and `vkWaitSemaphores`",
      where: "https://github.com/KhronosGroup/Vulkan-ValidationLayers/issues/4968",
    },
    wrong: {
      async waiter({ domain, a, hear, say }) {
        const semaphore = domain.import(await hear<FenceHandle>("semaphore"));
        using _layer = await a.reservation.lock();
        say("waiting");
        await semaphore.result({ timeout: 2000 });
      },
      async signaler({ domain, a, say, hear }) {
        const semaphore = pending(domain, "semaphore");
        say("semaphore", semaphore.handle());
        await hear("waiting");
        using _layer = await a.reservation.lock(undefined, { timeout: 4000 });
        semaphore.signal();
      },
    },
    right: {
      async waiter({ domain, a, hear, say }) {
        const semaphore = domain.import(await hear<FenceHandle>("semaphore"));
        await lockEach(a);
        say("waiting");
        await semaphore.wait();
      },
      async signaler({ domain, a, say, hear }) {
        const semaphore = pending(domain, "semaphore");
        say("semaphore", semaphore.handle());
        await hear("waiting");
        using _layer = await a.reservation.lock();
        semaphore.signal();
      },
    },
  },
  {
    id: "hang-jobs",
    mistake: "Two jobs wait for each other while they run",
    code: "ETIMEDOUT",
    says: /"compute".*"graphics"|"graphics".*"compute"/,
    culprits: ["compute", "graphics"],
    wrong: {
      async compute({ domain, say, hear }) {
        using queue = domain.createQueue({
          name: "compute",
          run: async () => void (await domain.import(await hear<FenceHandle>("drawn")).wait()),
        });
        const computed = await queue.submit({});
        say("computed", computed.handle());
        await computed.result({ timeout: 2000 });
      },
      async graphics({ domain, say, hear }) {
        using queue = domain.createQueue({
          name: "graphics",
          run: async () => void (await domain.import(await hear<FenceHandle>("computed")).wait()),
        });
        const drawn = await queue.submit({});
        say("drawn", drawn.handle());
        await drawn.result({ timeout: 2000 });
      },
    },
    right: {
      async compute({ domain, say }) {
        using queue = domain.createQueue({ name: "compute", run: () => {} });
        const computed = await queue.submit({});
        say("computed", computed.handle());
        await computed.wait();
      },
      async graphics({ domain, hear }) {
        using queue = domain.createQueue({ name: "graphics", run: () => {} });
        const computed = domain.import(await hear<FenceHandle>("computed"));
        const drawn = await queue.submit({ dependencies: [computed] });
        await drawn.wait();
      },
    },
  },
];
