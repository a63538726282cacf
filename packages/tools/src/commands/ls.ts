import type { Command } from "commander";
import { ProcessDomain } from "dmabuf/node";
import { domainsTable } from "../domain/domains-table.js";
import { hiddenText, noneText } from "../domain/find-domain.js";
import { EXIT } from "../exit-codes.js";
import { CommandError } from "../failures.js";
import { printJson } from "../terminal/output.js";

/** `dmabuf ls`. */
export function addLs(program: Command): void {
  program
    .command("ls")
    .description("list the domains of this machine that may be seen: their processes, agents, and where they listen")
    .option("--json", "print one JSON object")
    .action(ls);
}

function ls({ json }: { readonly json?: true }): void {
  const { domains, hidden } = ProcessDomain.domains();
  if (json) {
    printJson({ version: 1, domains, hidden });
    if (domains.length === 0) process.exitCode = EXIT.NOTHING;
    return;
  }
  if (domains.length === 0) throw new CommandError(EXIT.NOTHING, noneText(hidden));
  console.log(domainsTable(domains));
  // Not among the lines that other programs read.
  if (hidden.length > 0) console.error(`\n${hiddenText(hidden)}`);
}
