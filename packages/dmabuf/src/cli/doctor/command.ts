import Table from "cli-table3";
import { Command } from "commander";
import type { Finding, Survey } from "../../linux/index.js";
import { survey } from "../../linux/index.js";

/** `dmabuf doctor`. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description("Look what this machine has of all that dmabuf can use, and say what to do about the rest.")
    .option("--json", "print one JSON object instead of a table")
    .action(({ json }: { json?: true }) => {
      const found = survey();
      console.log(json ? JSON.stringify(found, undefined, 2) : inWords(found));
    });
}

const MARKS: Readonly<Record<Finding["state"], string>> = {
  ok: "yes",
  absent: "no",
  forbidden: "no right",
  old: "old kernel",
  failed: "look",
};

/** @internal The survey as text for people. */
export function inWords({ system, node, findings }: Survey): string {
  const table = new Table({ head: ["", "", "since", ""], style: { head: [], border: [], compact: true } });
  for (const { state, name, since = "", detail } of findings) table.push([MARKS[state], name, since, wrapped(detail)]);
  const open = findings.filter(({ state }) => state !== "ok");
  const advice = open.map(({ name, use, advice: what }) => `  ${name} (${use})\n    ${what ?? "Nothing."}`);
  const end = open.length === 0 ? "Everything is there." : `What could be done:\n${advice.join("\n")}`;
  return `Node.js ${node} on ${system}. Threads share buffers on every system.\n\n${table.toString()}\n\n${end}`;
}

const WIDTH = 72;

function wrapped(text: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (lines.at(-1)!.length + word.length > WIDTH) lines.push("");
    lines.push(`${lines.pop()!} ${word}`.trimStart());
  }
  return lines.join("\n");
}
