/** The one door to what the library does not publish: the process substrate, which is measured here by itself. */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import type * as Memory from "../../dmabuf/src/node/memory/memory-object.js";
import type * as Ledger from "../../dmabuf/src/node/resources/resource-ledger.js";
import type * as SystemCalls from "../../dmabuf/src/node/system-calls/index.js";
import type * as ProcessSubstrate from "../../dmabuf/src/node/waiting/process-substrate.js";

export type { Substrate } from "../../dmabuf/src/substrate/substrate.js";
export type { Doorbells } from "../../dmabuf/src/node/waiting/process-substrate.js";

const LIBRARY = pathToFileURL(createRequire(import.meta.url).resolve("dmabuf/package.json"));

async function load<Module>(path: string): Promise<Module> {
  return (await import(new URL(`dist/src/${path}`, LIBRARY).href)) as Module;
}

export const { MemoryObject } = await load<typeof Memory>("node/memory/memory-object.js");
export const { ResourceLedger } = await load<typeof Ledger>("node/resources/resource-ledger.js");
export const { createPipe, pageSize, viewOf } = await load<typeof SystemCalls>("node/system-calls/index.js");
export const { createProcessSubstrate } = await load<typeof ProcessSubstrate>("node/waiting/process-substrate.js");
