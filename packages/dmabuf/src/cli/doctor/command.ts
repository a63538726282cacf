import { DmaBufError } from "../../errors.js";
import type { Finding, Survey } from "../../linux/index.js";
import { survey } from "../../linux/index.js";

/** `dmabuf doctor [--json]`. */
export function doctor(options: readonly string[]): void {
  const unknown = options.find((option) => option !== "--json");
  if (unknown !== undefined) throw new DmaBufError("EINVAL", `doctor has no option ${unknown}: there is --json`);
  const found = survey();
  console.log(options.length > 0 ? JSON.stringify(found, undefined, 2) : inWords(found));
}

const MARKS: Readonly<Record<Finding["state"], string>> = {
  ok: "yes",
  absent: "no",
  forbidden: "no right",
  old: "old kernel",
  failed: "look",
};

/** The survey as text for people. */
export function inWords({ system, node, findings }: Survey): string {
  const rows = findings.map(({ state, name, since = "", detail }) => [MARKS[state], name, since, detail]);
  const open = findings.filter(({ state }) => state !== "ok");
  const advice = open.map(({ name, use, advice: what }) => `  ${name} (${use})\n    ${what ?? "Nothing."}`);
  const end = open.length === 0 ? "Everything is there." : `What could be done:\n${advice.join("\n")}`;
  const table = tableOf([["", "", "since", ""], ...rows]);
  return `Node.js ${node} on ${system}. Threads share buffers on every system.\n\n${table}\n\n${end}`;
}

/** How wide the last column may be. */
const WIDTH = 72;

/** Columns as wide as they need, the last one in lines of at most {@link WIDTH}. */
function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.slice(0, -1).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.flatMap((row) => {
    const first = widths.map((width, column) => row[column]!.padEnd(width)).join("  ");
    const detail = wrapped(row.at(-1)!);
    return detail.map((text, index) => `  ${index === 0 ? first : " ".repeat(first.length)}  ${text}`.trimEnd());
  });
  return lines.join("\n");
}

function wrapped(text: string): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (lines.at(-1)!.length + word.length > WIDTH) lines.push("");
    lines.push(`${lines.pop()!} ${word}`.trimStart());
  }
  return lines;
}
