/** Fences of fences where each must be one by itself. */
import { unwrap, type DmaBuf, type Fence } from "../../../src/index.js";
import type { Case } from "../case.js";
import { pending } from "../parts.js";

export const CONTAINERS: readonly Case[] = [
  {
    id: "container-array",
    mistake: "The work of two engines is added to a buffer as one array",
    code: "container-in-reservation",
    wrong: {
      async engines({ domain, a }) {
        const fences = [pending(domain), pending(domain)];
        await add(a, [domain.createFenceArray(fences)]);
        for (const fence of fences) fence.signal();
      },
    },
    right: {
      async engines({ domain, a }) {
        const fences = [pending(domain), pending(domain)];
        await add(a, fences);
        for (const fence of fences) fence.signal();
      },
    },
  },
  {
    id: "container-chain",
    mistake: "A point of a timeline is added to a buffer as the chain that it is",
    code: "container-in-reservation",
    wrong: {
      async client({ domain, a }) {
        const fence = pending(domain);
        await add(a, [domain.createFenceChain(undefined, fence, 1)]);
        fence.signal();
      },
    },
    right: {
      async client({ domain, a }) {
        const fence = pending(domain);
        await add(a, [...unwrap(domain.createFenceChain(undefined, fence, 1))]);
        fence.signal();
      },
    },
  },
  {
    id: "container-singleton",
    mistake: "What all users of one buffer wait for is added to another one as it comes",
    code: "container-in-reservation",
    source: {
      project: "Linux, dma-buf",
      title: "dma-buf: generalize dma_fence unwrap & merging v3",
      where: "245a4a7b531cffb41233a716497c25b06835cf4b",
    },
    wrong: {
      async copier({ domain, a, b }) {
        const fences = [pending(domain), pending(domain)];
        await add(a, fences);
        await add(b, [a.reservation.getSingleton("read")!]);
        for (const fence of fences) fence.signal();
      },
    },
    right: {
      async copier({ domain, a, b }) {
        const fences = [pending(domain), pending(domain)];
        await add(a, fences);
        await add(b, a.reservation.getFences("read"));
        for (const fence of fences) fence.signal();
      },
    },
  },
];

async function add({ reservation }: DmaBuf, fences: readonly Fence[]): Promise<void> {
  using _lock = await reservation.lock();
  reservation.reserveFences(fences.length);
  for (const fence of fences) reservation.addFence(fence, "read");
}
