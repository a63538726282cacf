import type { Domain } from "../../src/index.js";

interface World {
  readonly domain: object;
}

const invite = ({ domain }: World) => (domain as Domain).invite();
const invited = (world: World): readonly unknown[] => [invite(world)];

/** The calls of `dmabuf` that make an invitation or take one. */
export const INVITED = {
  "Domain.join()": (world: World) => [invite(world), {}],
  "ThreadDomain.invite()": () => [{}],
  "ThreadDomain.revoke()": invited,
  "ThreadDomain.expel()": invited,
};
