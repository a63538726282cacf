/** The files of the workspace, for the checks that read them. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What is made, installed or not ours. */
const SKIPPED = new Set(["node_modules", "dist", ".git", "demo-output"]);

/** The paths of all files below `folder` (of the workspace) whose names match, in a stable order. */
export function filesIn(folder, pattern, root = ROOT) {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : filesIn(path, pattern, root);
      return pattern.test(entry.name) ? [relative(".", path)] : [];
    })
    .sort();
}

export function textOf(path, root = ROOT) {
  return readFileSync(join(root, path), "utf8");
}
