import { accessSync, chmodSync, constants, copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { DmaBufError } from "dmabuf";

/** An ffmpeg that can be run. Disposing it removes what had to be made to run it. */
export interface Ffmpeg extends Disposable {
  readonly path: string;
}

/**
 * Finds ffmpeg: the one that `DMABUF_FFMPEG` names, else the first of `PATH`, else the optional package
 * `@ffmpeg-installer/ffmpeg`.
 *
 * @throws {DmaBufError} `ENOENT` when there is none, saying what to install; `EACCES` when `DMABUF_FFMPEG` names
 *   something that cannot be run.
 */
export function findFfmpeg(environment: Readonly<Record<string, string | undefined>>): Ffmpeg {
  const named = environment["DMABUF_FFMPEG"];
  if (named !== undefined && named !== "") {
    if (!isExecutable(named)) throw new DmaBufError("EACCES", `Cannot run ffmpeg: DMABUF_FFMPEG names ${named}`);
    return lasting(named);
  }
  const onPath = (environment["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, "ffmpeg"))
    .find(isExecutable);
  if (onPath !== undefined) return lasting(onPath);

  const packaged = packagedBinary();
  if (packaged !== undefined) return madeExecutable(packaged);
  throw new DmaBufError(
    "ENOENT",
    "Cannot find ffmpeg: install it (apt install ffmpeg, or npm install @ffmpeg-installer/ffmpeg) or name it in DMABUF_FFMPEG",
  );
}

/** Whether a path is that of a program. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function lasting(path: string): Ffmpeg {
  return { path, [Symbol.dispose]: () => {} };
}

function packagedBinary(): string | undefined {
  try {
    const installed = createRequire(import.meta.url)("@ffmpeg-installer/ffmpeg") as { path: string };
    return installed.path;
  } catch {
    // Not installed, or not made for this machine: the package throws a string then.
    return undefined;
  }
}

/** The package's install script sets the mode bit; npm may have been told to run no scripts. */
function madeExecutable(path: string): Ffmpeg {
  if (isExecutable(path)) return lasting(path);
  try {
    chmodSync(path, 0o755);
    return lasting(path);
  } catch {
    return executableCopy(path);
  }
}

/** For a package that was installed where we may not write. */
function executableCopy(path: string): Ffmpeg {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-ffmpeg-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const copy = join(folder, "ffmpeg");
    copyFileSync(path, copy);
    chmodSync(copy, 0o700);
    return { path: copy, [Symbol.dispose]: remove };
  } catch (error) {
    remove();
    throw error;
  }
}
