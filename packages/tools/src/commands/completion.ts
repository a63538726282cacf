import tab from "@bomb.sh/tab/commander";
import type { RootCommand } from "@bomb.sh/tab";
import type { Command } from "commander";
import { ProcessDomain, type DomainList } from "dmabuf/node";
import { observeWanted } from "../domain/find-domain.js";
import { printable } from "../terminal/words.js";

const SHELLS = ["bash", "zsh", "fish"];

/**
 * `dmabuf completion SHELL` writes the script, which calls the hidden `dmabuf complete -- WORDS`. To be added when all other
 * commands are there.
 */
export function addCompletion(program: Command): void {
  const completion = tab(program, { completionCommandName: "completion" });
  completeShells(program, completion);
  for (const [, command] of completion.commands) {
    const domain = command.arguments.get("domain");
    if (domain !== undefined) domain.handler = (complete) => eachDomain(complete);
    const option = command.options.get("domain");
    if (option !== undefined) option.handler = (complete) => eachDomain(complete);
  }
  const what = completion.commands.get("explain")?.arguments.get("what");
  if (what !== undefined) what.handler = (complete) => eachThing(complete);
  // The library's own commands, and the demo's.
  completion.command("doctor", "what this machine has of all that dmabuf can use").option("json", "one JSON object");
  completion.command("demo", "play a video to workers that share every frame (package dmabuf-demo)");
}

/** The shells in which the scripts are tested. */
function completeShells(program: Command, completion: RootCommand): void {
  const command = program.commands.find((each) => each.name() === "completion")!;
  command
    .description("write the completion script for a shell: source <(dmabuf completion bash)")
    .hook("preAction", (_, { args }) => {
      if (args[0] === "bash") console.log(BASH_WORDS);
    });
  command.registeredArguments[0]!.choices(SHELLS);
  const shell = completion.commands.get("completion")!.arguments.get("shell")!;
  shell.handler = (complete) => SHELLS.forEach((name) => complete(name, ""));
}

/** What the script for bash takes from the package bash-completion, for machines that do not have it. */
const BASH_WORDS = `# From the package bash-completion, where that is not there.
if ! declare -F _get_comp_words_by_ref >/dev/null; then
  _get_comp_words_by_ref() {
    words=("\${COMP_WORDS[@]:0:COMP_CWORD+1}") cword=$COMP_CWORD cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  }
fi`;

type Complete = (value: string, description: string) => void;

function eachDomain(complete: Complete): void {
  for (const { domain, processes, agents } of domainsIfAny()) {
    const names = agents.map(({ name }) => printable(name)).join(", ");
    if (domain !== "") complete(domain.slice(0, 8), names);
    for (const process of processes) complete(String(process), names);
  }
}

/** The names in the only domain. */
function eachThing(complete: Complete): void {
  try {
    using observer = observeWanted(undefined);
    const { buffers, streams } = observer.snapshot();
    for (const { name, size } of buffers) if (isWord(name)) complete(name, `buffer of ${size} bytes`);
    for (const { name } of streams) if (isWord(name)) complete(name, "stream");
  } catch {
    // There is none, or there are several: nothing is offered.
  }
}

function domainsIfAny(): DomainList["domains"] {
  try {
    return ProcessDomain.domains().domains;
  } catch {
    return [];
  }
}

/** Shells take it as it is. */
function isWord(name: string): boolean {
  return /^[\w.@/+-]+$/.test(name);
}
