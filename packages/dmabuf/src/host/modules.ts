interface Surroundings {
  readonly process?: { getBuiltinModule?(name: string): unknown };
}

/** A module of the surroundings themselves, without an import: nothing in a browser. */
export function builtinModule<Module>(name: string): Partial<Module> | undefined {
  const { process } = globalThis as unknown as Surroundings;
  try {
    return process?.getBuiltinModule?.(name) as Partial<Module> | undefined;
  } catch {
    // Surroundings that know the function, and not the module.
    return undefined;
  }
}

interface Modules {
  createRequire(from: string): (path: string) => unknown;
}

/** A module of the library that is not part of the program until it is needed; nothing where it is not in a file of its own. */
export function laterModule<Module>(from: string, path: string): Partial<Module> | undefined {
  try {
    return builtinModule<Modules>("node:module")?.createRequire?.(from)(path) as Partial<Module> | undefined;
  } catch {
    // A bundle, or a runtime that cannot load it so.
    return undefined;
  }
}

interface FileSystem {
  appendFileSync(path: string, text: string): void;
}

/** Adds a line to a file; false where there are no files. @throws What the file system throws. */
export function appendLine(path: string, line: string): boolean {
  const files = builtinModule<FileSystem>("node:fs");
  files?.appendFileSync?.(path, `${line}\n`);
  return files !== undefined;
}
