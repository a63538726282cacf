/** After the compiler: outputs whose source is gone are removed, and the programs may be started. */
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

const PACKAGES = join(import.meta.dirname, "../packages");

for (const name of readdirSync(PACKAGES)) {
  const home = join(PACKAGES, name);
  const dist = join(home, "dist");
  for (const output of existsSync(dist) ? readdirSync(dist, { recursive: true }) : []) {
    const source = output.match(/^(.*?)(\.d\.ts|\.js|\.js\.map)$/)?.[1];
    if (source !== undefined && !existsSync(join(home, `${source}.ts`))) rmSync(join(dist, output));
  }
  const { bin = {} } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  for (const program of Object.values(bin)) chmodSync(join(home, program), 0o755);
}
