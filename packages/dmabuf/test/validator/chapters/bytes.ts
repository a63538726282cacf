/** Bytes that are written through what was taken to read them, or when others have them already. */
import type { Case, Stage } from "../case.js";
import { begun, publishFrame, sleep, streamOf } from "../parts.js";

export const BYTES: readonly Case[] = [
  {
    id: "read-access-written",
    mistake: "An agent writes through an access to read",
    code: "write-through-read",
    wrong: {
      async filter({ a }) {
        using access = await a.access("read");
        access.bytes[7] = 1;
      },
    },
    right: {
      async filter({ a }) {
        using access = await a.access("write");
        access.bytes[7] = 1;
      },
    },
  },
  {
    id: "frame-written",
    mistake: "A client draws on a frame that it has handed over, and that others may show just now",
    code: "write-through-read",
    source: {
      project: "softbuffer",
      title: "Wayland lifetime issues",
      where: "https://github.com/rust-windowing/softbuffer/issues/11",
    },
    wrong: {
      async client({ domain }) {
        using stream = streamOf(domain, 2);
        using preview = stream.frames();
        await publishFrame(stream);
        using frame = (await preview.next())!;
        frame.bytes.fill(3);
      },
    },
    right: {
      async client({ domain }) {
        using stream = streamOf(domain, 2);
        using preview = stream.frames();
        await publishFrame(stream);
        using frame = (await preview.next())!;
        frame.copy().fill(3);
      },
    },
  },
  {
    id: "job-writes-what-it-reads",
    mistake: "A job writes to a buffer that its request says it reads",
    code: "write-through-read",
    wrong: {
      async device({ domain, a }) {
        using queue = domain.createQueue({ run: (job) => void job.access(a).bytes.fill(5) });
        await (await queue.submit({ reads: [a] })).wait();
      },
    },
    right: {
      async device({ domain, a }) {
        using queue = domain.createQueue({ run: (job) => void job.access(a).bytes.fill(5) });
        await (await queue.submit({ writes: [a] })).wait();
      },
    },
  },
  {
    id: "job-writes-late",
    mistake: "A job does not wait for its own writes before it ends",
    code: "work-after-fence",
    source: {
      project: "Mesa",
      title: 'nouveau: synchronize "scratch runout" destruction with the command stream',
      where: "f9e2295560f9b4869fa2a94933c1881ec7970af4",
    },
    wrong: {
      async device({ domain, a }) {
        let written = Promise.resolve();
        using queue = domain.createQueue({
          run(job) {
            const access = job.access(a);
            written = sleep(20).then(() => void access.bytes.fill(1));
          },
        });
        await (await queue.submit({ writes: [a] })).wait();
        await written;
      },
    },
    right: {
      async device({ domain, a }) {
        using queue = domain.createQueue({
          async run(job) {
            const access = job.access(a);
            await sleep(20);
            access.bytes.fill(1);
          },
        });
        await (await queue.submit({ writes: [a] })).wait();
      },
    },
  },
  {
    id: "job-begins-late",
    mistake: "A job asks for its buffer when its fence has signaled",
    code: "work-after-fence",
    wrong: {
      async device({ domain, a }) {
        let late = (): unknown => undefined;
        using queue = domain.createQueue({
          run(job) {
            late = () => job.access(a);
          },
        });
        await (await queue.submit({ writes: [a] })).wait();
        late();
      },
    },
    right: {
      async device({ domain, a }) {
        using queue = domain.createQueue({ run: (job) => void job.access(a).bytes.fill(1) });
        await (await queue.submit({ writes: [a] })).wait();
      },
    },
  },
  {
    id: "signals-while-writing",
    mistake: "A client says that it has finished a picture, and draws on",
    code: "work-after-fence",
    source: {
      project: "wlroots",
      title: "backend/wayland: listen to wl_buffer.release events",
      where: "https://github.com/swaywm/wlroots/pull/1984",
    },
    wrong: {
      async client({ domain, a, say }) {
        using picture = await a.access("write");
        const drawn = await begun(a, domain.createTimeline({ name: "work" }));
        drawn.signal();
        say("drawn");
        picture.bytes.fill(1);
      },
      compositor,
    },
    right: {
      async client({ domain, a, say }) {
        const picture = await a.access("write");
        const drawn = await begun(a, domain.createTimeline({ name: "work" }));
        picture.bytes.fill(1);
        picture.close();
        drawn.signal();
        say("drawn");
      },
      compositor,
    },
  },
];

async function compositor({ a, hear }: Stage): Promise<void> {
  await hear("drawn");
  using picture = await a.access("read");
  picture.copy();
}
