/**
 * Faults that are planted in the library's own files, as Node.js loads them: a test that does not find them proves nothing.
 *
 * `--import` this file, with DMABUF_PLANTED=NAME.
 */
import { readFileSync } from "node:fs";
import { register } from "node:module";
import process from "node:process";

/** A place in a compiled file, and what is there instead. */
export interface Planted {
  /** In `dist/src/hosts/`. */
  readonly file: string;
  readonly place: string;
  readonly instead: string;
}

export const PLANTED = {
  /** A host that was lost is welcome as if nothing had been. */
  "past incarnation": {
    file: "host-peers.js",
    place: "if (incarnation > (this.#past.get(id) ?? 0))",
    instead: "if (incarnation > 0)",
  },
  /** A host that was stopped goes on as if it had not been. */
  "no look at its own clock": {
    file: "host-peers.js",
    place: "if (silence <= this.#options.limit)",
    instead: "if (silence <= Infinity)",
  },
  /** Hosts say nothing on their own connection. */
  "no beat": { file: "host-peers.js", place: "link.beat()", instead: "void link" },
  /** What was asked of a host that is lost now counts as answered. */
  "loss as an answer": {
    file: "links/link.js",
    place: "for (const { reject } of this.#questions.values())\n            reject(reason);",
    instead: "for (const { resolve } of this.#questions.values()) resolve(null);",
  },
} as const satisfies Record<string, Planted>;

export type PlantedName = keyof typeof PLANTED;

/** The options of a process that has it. */
export function planting(name: PlantedName | undefined): {
  readonly nodeOptions?: string[];
  readonly env?: Record<string, string>;
} {
  if (name === undefined) return {};
  return { nodeOptions: [`--import=${import.meta.url}`], env: { DMABUF_PLANTED: name } };
}

/** The file with its fault. A fault whose place is no more is no fault. */
export function plant({ file, place, instead }: Planted): string {
  const text = readFileSync(new URL(`../../src/hosts/${file}`, import.meta.url), "utf8");
  if (text.split(place).length !== 2) throw new Error(`There is not one ${place} in ${file}`);
  return text.replace(place, () => instead);
}

const chosen = PLANTED[process.env["DMABUF_PLANTED"] as PlantedName] as Planted | undefined;
if (chosen !== undefined) {
  const end = JSON.stringify(`/dist/src/hosts/${chosen.file}`);
  const source = JSON.stringify(plant(chosen));
  const hook = `export async function load(url, context, next) {
    return url.endsWith(${end}) ? { format: "module", shortCircuit: true, source: ${source} } : next(url, context);
  }`;
  register(`data:text/javascript,${encodeURIComponent(hook)}`);
}
