import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Sources are not copied to `dist/`: `peers/` as seen from `dist/src/`. */
const SOURCES = new URL("../../peers/", import.meta.url);
const CACHE = fileURLToPath(new URL("./peers/", import.meta.url));

/** The path of a file beside the peers' sources. */
export function peerFile(name: string): string {
  return fileURLToPath(new URL(name, SOURCES));
}

/**
 * A peer's program, compiled when its source has changed.
 *
 * @param command The compiler.
 * @returns `undefined` if there is no such compiler.
 * @throws If there is one and it does not compile.
 */
export function compilePeer(
  source: string,
  command: string,
  options: readonly string[],
  libraries: readonly string[] = [],
): { readonly path: string; readonly compiler: string } | undefined {
  const compiler = versionOf(command);
  if (compiler === undefined) return undefined;
  const file = peerFile(source);
  const all = [...options, ...libraries].join(" ");
  const hash = createHash("sha256").update(readFileSync(file)).update(compiler).update(all);
  const path = `${CACHE}${source.split(".")[0]!}-${hash.digest("hex").slice(0, 16)}`;
  if (!existsSync(path)) {
    mkdirSync(CACHE, { recursive: true });
    execFileSync(command, [...options, "-o", path, file, ...libraries], { stdio: ["ignore", "inherit", "inherit"] });
  }
  return { path, compiler };
}

function versionOf(command: string): string | undefined {
  try {
    return execFileSync(command, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split(
      "\n",
    )[0]!;
  } catch {
    return undefined;
  }
}
