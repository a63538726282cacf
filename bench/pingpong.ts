import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Sources are not copied to `dist/`: bench/peers/ as seen from dist/bench/. */
const SOURCE = fileURLToPath(new URL("../../bench/peers/pingpong.c", import.meta.url));
const CACHE = fileURLToPath(new URL("./peers/", import.meta.url));
const OPTIONS = ["-O2", "-pthread"];

/**
 * The C program, compiled when its source has changed.
 *
 * @returns Its path; `undefined` if there is no C compiler (`CC`, or `gcc`).
 * @throws If there is one and it does not compile.
 */
export function compilePingpong(): { readonly path: string; readonly compiler: string } | undefined {
  const command = process.env["CC"] ?? "gcc";
  const compiler = versionOf(command);
  if (compiler === undefined) return undefined;
  const hash = createHash("sha256").update(readFileSync(SOURCE)).update(compiler).update(OPTIONS.join(" "));
  const path = `${CACHE}pingpong-${hash.digest("hex").slice(0, 16)}`;
  if (!existsSync(path)) {
    mkdirSync(CACHE, { recursive: true });
    execFileSync(command, [...OPTIONS, "-o", path, SOURCE], { stdio: ["ignore", "inherit", "inherit"] });
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
