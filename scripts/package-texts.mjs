/** Lends the workspace's texts to the package of the current folder while it is packed; with `--remove` takes them back. */
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

for (const text of ["README.md", "LICENSE", "CHANGELOG.md"]) {
  if (process.argv.includes("--remove")) rmSync(text, { force: true });
  else copyFileSync(join(import.meta.dirname, "..", text), text);
}
