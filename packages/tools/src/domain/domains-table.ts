import type { ListedDomain } from "dmabuf/node";
import { tableText } from "../terminal/table.js";
import { paint, printable } from "../terminal/words.js";
import { userName } from "./users.js";

/** How many digits of an id are shown at least. */
const SHORTEST = 8;

const COLUMNS = [
  { title: "DOMAIN" },
  { title: "USER" },
  { title: "PROCESSES" },
  { title: "LISTENS AT" },
  { title: "AGENTS" },
];

/** Domains as lines for people, one each. */
export function domainsTable(domains: readonly ListedDomain[]): string {
  const length = idLength(domains.map(({ domain }) => domain));
  return tableText(
    COLUMNS,
    domains.map((each) => [
      each.domain === "" ? "?" : each.domain.slice(0, length),
      userName(each.user),
      each.processes.join(" "),
      each.places.length === 0 ? "-" : each.places.map(printable).join(" "),
      agentsText(each),
    ]),
  );
}

/** So many digits tell these ids apart. */
function idLength(ids: readonly string[]): number {
  let length = SHORTEST;
  while (length < 32 && new Set(ids.map((id) => id.slice(0, length))).size < new Set(ids).size) length++;
  return length;
}

function agentsText({ agents, refused }: ListedDomain): string {
  if (refused !== undefined) return paint("red", printable(refused.replace(/^E[A-Z]+: /, "")));
  return agents.map(({ name, state }) => stateText(printable(name), state)).join(", ");
}

/** An agent's name, and what is wrong with it. */
function stateText(name: string, state: "live" | "stopped" | "dead"): string {
  if (state === "live") return name;
  return paint(state === "dead" ? "red" : "yellow", `${name} (${state})`);
}
