import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { DmaBufError } from "../errors.js";

/** A package of its own whose program does a command. */
interface Other {
  readonly name: string;
  /** What the command is, as an error says it. */
  readonly title: string;
  /** Whether its program has several commands, and is to hear which one is meant. */
  readonly hasCommands: boolean;
}

const TOOLS: Other = {
  name: "dmabuf-tools",
  title: "Commands that look at domains, and the agent of a host, are",
  hasCommands: true,
};

/** The commands that are not in this package. */
const ELSEWHERE: ReadonlyMap<string, Other> = new Map([
  ["demo", { name: "dmabuf-demo", title: "The demo is", hasCommands: false }],
  ["inspect", { name: "dmabuf-inspector", title: "The inspector is", hasCommands: false }],
  ...["ls", "bufinfo", "fences", "streams", "top", "explain", "trace", "host", "completion", "complete"].map(
    (command) => [command, TOOLS] as const,
  ),
]);

/**
 * Runs the program of another package, in this process and with the rest of the command line.
 *
 * @returns Whether there is such a command.
 * @throws {DmaBufError} `ENOENT` if its package is neither in the current folder's project nor beside this one.
 */
export async function forward(command: string): Promise<boolean> {
  const other = ELSEWHERE.get(command);
  if (other === undefined) return false;
  const paths = [process.cwd(), import.meta.dirname];
  let program: string;
  try {
    program = createRequire(import.meta.url).resolve(other.name, { paths });
  } catch (cause) {
    const how = `npm install ${other.name} && npx dmabuf ${command}`;
    const problem = `${other.title} in a package of its own, which is not installed here`;
    throw new DmaBufError("ENOENT", `${problem}: ${how}`, { cause });
  }
  process.argv.splice(1, other.hasCommands ? 1 : 2, program);
  await import(pathToFileURL(program).href);
  return true;
}
