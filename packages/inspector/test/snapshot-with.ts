import type { DomainSnapshot } from "dmabuf/node";

/** A snapshot of an empty domain, but for what is given. */
export function snapshotWith(given: Partial<DomainSnapshot>): DomainSnapshot {
  return {
    version: 1,
    domain: "d",
    at: 0,
    wallClock: 5,
    agents: [],
    buffers: [],
    timelines: [],
    fences: [],
    userFences: [],
    syncobjs: [],
    streams: [],
    waits: [],
    copies: [],
    tables: [],
    ...given,
  };
}
