/** Buffers that are filled when they are touched, where others wait by a fence for what touches them: refused. */
import type { BufferHandleData, JoinedDomain, PagedBuffer } from "../../../src/index.js";
import type { Case } from "../case.js";

const SAYS = /pin/;

export const PAGING: readonly Case[] = [
  {
    id: "paged-in-job",
    mistake: "A job reads a buffer that may have to be filled before its fence can signal",
    code: "EFAULT",
    says: SAYS,
    wrong: {
      async device({ domain }) {
        using weights = weightsOf(domain);
        using queue = domain.createQueue({ run: () => {} });
        await queue.submit({ reads: [weights] });
      },
    },
    right: {
      async device({ domain }) {
        using weights = weightsOf(domain);
        using _pinned = await weights.pin();
        using queue = domain.createQueue({ run: (job) => void job.access(weights).bytes[0] });
        await (await queue.submit({ reads: [weights] })).wait();
      },
    },
  },
  {
    id: "paged-in-access",
    mistake: "An access, for which other accesses wait, is begun to a buffer that may have to be filled",
    code: "EFAULT",
    says: SAYS,
    wrong: {
      async reader({ domain }) {
        using weights = weightsOf(domain);
        (await weights.access("read")).close();
      },
    },
    right: {
      async reader({ domain }) {
        using weights = weightsOf(domain);
        using page = await weights.fault(4096, 1);
        page.bytes.every((byte) => byte === 1);
      },
    },
  },
  {
    id: "paged-in-another",
    mistake: "A job of another agent writes to a buffer that the first one would have to fill",
    code: "EFAULT",
    says: SAYS,
    wrong: {
      async owner({ domain, say, hear }) {
        using weights = weightsOf(domain);
        say("weights", weights.handle());
        await hear("done");
      },
      async device({ domain, say, hear }) {
        using weights = domain.import(await hear<BufferHandleData>("weights"));
        using queue = domain.createQueue({ run: () => {} });
        try {
          await queue.submit({ writes: [weights] });
        } finally {
          say("done");
        }
      },
    },
    right: {
      async owner({ domain, say, hear }) {
        using weights = weightsOf(domain);
        using _pinned = await weights.pin();
        say("weights", weights.handle());
        await hear("done");
      },
      async device({ domain, say, hear }) {
        using weights = domain.import(await hear<BufferHandleData>("weights"));
        using queue = domain.createQueue({ run: () => {} });
        await (await queue.submit({ writes: [weights] })).wait();
        say("done");
      },
    },
  },
];

function weightsOf(domain: JoinedDomain): PagedBuffer {
  return domain.createPagedBuffer({ size: 8192, name: "weights", fill: (_, bytes) => void bytes.fill(1) });
}
