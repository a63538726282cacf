import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { DmaBufError } from "../errors.js";

/**
 * `dmabuf demo`: the program of the package `dmabuf-demo`, in this process and with the rest of the command line.
 *
 * @throws {DmaBufError} `ENOENT` if that package is neither in the current folder's project nor beside this one.
 */
export async function demo(): Promise<void> {
  const paths = [process.cwd(), import.meta.dirname];
  let program: string;
  try {
    program = createRequire(import.meta.url).resolve("dmabuf-demo", { paths });
  } catch (cause) {
    const how = "npm install dmabuf-demo && npx dmabuf demo";
    throw new DmaBufError("ENOENT", `The demo is a package of its own, which is not installed here: ${how}`, { cause });
  }
  process.argv.splice(1, 2, program);
  await import(pathToFileURL(program).href);
}
