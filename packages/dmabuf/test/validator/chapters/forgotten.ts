/** What is taken and never given back, and fences that are dropped before they signal. */
import type { Fence, JoinedDomain, StreamHandleData } from "../../../src/index.js";
import type { Case, Stage } from "../case.js";
import { publishFrame, streamOf } from "../parts.js";

export const FORGOTTEN: readonly Case[] = [
  {
    id: "forgotten-access",
    mistake: "An access is not closed where the work with it fails, and the next writer hangs",
    code: "never-given-back",
    culprits: ["detector"],
    wrong: {
      async detector({ a, say, hear, collectGarbage }) {
        await detect().catch(() => {});
        say("detected");
        await hear("explained");
        await collectGarbage();
        async function detect(): Promise<void> {
          const access = await a.access("write");
          if (access.bytes[0] === 0) throw new Error("Nothing is there");
          access.close();
        }
      },
      writer,
    },
    right: {
      async detector({ a, say, collectGarbage }) {
        await detect().catch(() => {});
        say("detected");
        await collectGarbage();
        async function detect(): Promise<void> {
          using access = await a.access("write");
          if (access.bytes[0] === 0) throw new Error("Nothing is there");
        }
      },
      writer,
    },
  },
  {
    id: "forgotten-read",
    mistake: "A reader returns early with its access open",
    code: "never-given-back",
    culprits: ["reader"],
    wrong: {
      async reader({ a, say, hear, collectGarbage }) {
        await isDark();
        say("detected");
        await hear("explained");
        await collectGarbage();
        async function isDark(): Promise<boolean> {
          const access = await a.access("read");
          if (access.bytes.every((value) => value < 16)) return true;
          access.close();
          return false;
        }
      },
      writer,
    },
    right: {
      async reader({ a, say, collectGarbage }) {
        {
          using access = await a.access("read");
          access.bytes.every((value) => value < 16);
        }
        say("detected");
        await collectGarbage();
      },
      writer,
    },
  },
  {
    id: "forgotten-frame",
    mistake: "A consumer leaves frames to the garbage collector",
    code: "never-given-back",
    culprits: ["player"],
    source: { project: "moq", title: "Close the VideoFrame", where: "https://github.com/moq-dev/moq/issues/736" },
    wrong: {
      producer: producer(1),
      async player({ domain, hear, collectGarbage }) {
        using stream = domain.import(await hear<StreamHandleData>("stream"));
        using consumer = stream.frames();
        await consumer.next();
        await hear("explained");
        await collectGarbage();
      },
    },
    right: {
      producer: producer(1),
      async player({ domain, hear, collectGarbage }) {
        using stream = domain.import(await hear<StreamHandleData>("stream"));
        for await (using _frame of stream.frames()) await collectGarbage();
      },
    },
  },
  {
    id: "forgotten-samples",
    mistake: "A subscriber keeps what it has taken, until it is given nothing any more",
    code: "never-given-back",
    culprits: ["subscriber"],
    source: {
      project: "iceoryx",
      title: "take() fail when subscriber.hasData() returns true",
      where: "https://github.com/eclipse-iceoryx/iceoryx/issues/2048",
    },
    wrong: {
      producer: producer(3),
      async subscriber({ domain, hear, collectGarbage }) {
        using stream = domain.import(await hear<StreamHandleData>("stream"));
        using consumer = stream.frames();
        const taken = [];
        while (taken.length < 3) taken.push(await consumer.next());
        await hear("explained");
        taken.length = 0;
        await collectGarbage();
      },
    },
    right: {
      producer: producer(3),
      async subscriber({ domain, hear, collectGarbage }) {
        using stream = domain.import(await hear<StreamHandleData>("stream"));
        for await (using _sample of stream.frames()) if (stream.published > 3) await collectGarbage();
      },
    },
  },
  {
    id: "forgotten-on-continue",
    mistake: "A loop goes on to the next frame without giving back one that it does not want",
    code: "never-given-back",
    source: {
      project: "Cyclone DDS",
      title: "'iox_sub_release_chunk' for \"unknown source entity, ignore\" ?",
      where: "https://github.com/eclipse-cyclonedds/cyclonedds/issues/1409",
    },
    wrong: {
      producer: producer(2),
      async monitor({ domain, hear, collectGarbage }) {
        using stream = domain.import(await hear<StreamHandleData>("stream"));
        using consumer = stream.frames();
        for (let seen = 0; seen < 2; seen++) {
          const frame = (await consumer.next())!;
          if (frame.sequence === 0) continue;
          frame.close();
        }
        await collectGarbage();
      },
    },
    right: {
      producer: producer(2),
      async monitor({ domain, hear, collectGarbage }) {
        using stream = domain.import(await hear<StreamHandleData>("stream"));
        using consumer = stream.frames();
        for (let seen = 0; seen < 2; seen++) {
          using frame = (await consumer.next())!;
          if (frame.sequence === 0) continue;
        }
        await collectGarbage();
      },
    },
  },
  {
    id: "forgotten-loan",
    mistake: "A producer takes a loan that it neither publishes nor gives back",
    code: "never-given-back",
    wrong: {
      async producer({ domain, collectGarbage }) {
        using stream = streamOf(domain, 2);
        (await stream.loan())!.bytes.fill(1);
        await collectGarbage();
      },
    },
    right: {
      async producer({ domain, collectGarbage }) {
        using stream = streamOf(domain, 2);
        {
          using loan = (await stream.loan())!;
          loan.bytes.fill(1);
        }
        await collectGarbage();
      },
    },
  },
  {
    id: "forgotten-lock",
    mistake: "A lock stays closed where what is done under it fails",
    code: "never-given-back",
    also: ["lock-across-await"],
    culprits: ["driver"],
    wrong: {
      async driver({ a, say, hear, collectGarbage }) {
        await reserve().catch(() => {});
        say("failed");
        await hear("explained");
        await collectGarbage();
        async function reserve(): Promise<void> {
          const lock = await a.reservation.lock();
          a.reservation.reserveFences(1_000_000);
          lock.close();
        }
      },
      async next({ a, hear }) {
        await hear("failed");
        using _lock = await a.reservation.lock();
      },
    },
    right: {
      async driver({ a, say, collectGarbage }) {
        await reserve().catch(() => {});
        say("failed");
        await collectGarbage();
        async function reserve(): Promise<void> {
          using _lock = await a.reservation.lock();
          a.reservation.reserveFences(1_000_000);
        }
      },
      async next({ a, hear }) {
        await hear("failed");
        using _lock = await a.reservation.lock();
      },
    },
  },
  {
    id: "forgotten-mapping",
    mistake: "A mapping is dropped without an end",
    code: "never-given-back",
    wrong: {
      async viewer({ a, collectGarbage }) {
        a.mmap();
        await collectGarbage();
      },
    },
    right: {
      async viewer({ a, collectGarbage }) {
        a.mmap().close();
        await collectGarbage();
      },
    },
  },
  {
    id: "dropped-fence",
    mistake: "A fence is let go pending, and what waits for it is only told that",
    code: "fence-dropped",
    wrong: {
      driver({ domain }) {
        using fence = makeFence(domain);
        fence.addCallback(() => {});
      },
    },
    right: {
      driver({ domain }) {
        using fence = makeFence(domain);
        fence.addCallback(() => {});
        fence.signal();
      },
    },
  },
  {
    id: "dropped-after-failure",
    mistake: "A submission that fails lets its fence go, for which others wait already",
    code: "fence-dropped",
    wrong: {
      driver({ domain }) {
        using fence = makeFence(domain);
        try {
          fence.addCallback(() => {});
          throw new Error("The ring is full");
        } catch {
          // The fence goes with the failure, its users do not.
        }
      },
    },
    right: {
      driver({ domain }) {
        using fence = makeFence(domain);
        try {
          fence.addCallback(() => {});
          throw new Error("The ring is full");
        } catch {
          fence.setError("EIO");
          fence.signal();
        }
      },
    },
  },
  {
    id: "dropped-array",
    mistake: "One of the fences that an array waits for is let go pending",
    code: "fence-dropped",
    wrong: {
      driver({ domain }) {
        using fence = makeFence(domain);
        domain.createFenceArray([fence]).addCallback(() => {});
      },
    },
    right: {
      driver({ domain }) {
        using fence = makeFence(domain);
        domain.createFenceArray([fence]).addCallback(() => {});
        fence.signal();
      },
    },
  },
];

async function writer({ a, hear }: Stage): Promise<void> {
  await hear("detected");
  using access = await a.access("write");
  access.bytes.fill(1);
}

/** A part that publishes one frame more than there are buffers, so that it waits for one to come back. */
function producer(buffers: number) {
  return async ({ domain, say }: Stage): Promise<void> => {
    using stream = streamOf(domain, buffers);
    say("stream", stream.handle());
    await stream.waitForConsumers(1);
    for (let frame = 0; frame <= buffers; frame++) await publishFrame(stream);
    stream.end();
  };
}

/** A fence of this agent alone. */
function makeFence(domain: JoinedDomain): Fence {
  return domain.createFence({ driverName: "driver", timelineName: "ring" });
}
