/** The reference: what the sources say about each public call, with their examples. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Application, ReferenceType, ReflectionKind, type ProjectReflection } from "typedoc";
import type { MarkdownApplication } from "typedoc-plugin-markdown";
import { REPOSITORY } from "./pages.js";

const LIBRARY = join(REPOSITORY, "packages/dmabuf");

/** One entry of the library. */
export interface Entry {
  /** What is imported: `dmabuf/node`. */
  readonly name: string;
  /** Its source. */
  readonly source: string;
}

/** The entries of the library, as its package.json has them. */
export function entries(): Entry[] {
  const { exports } = JSON.parse(readFileSync(join(LIBRARY, "package.json"), "utf8")) as {
    exports: Record<string, string | { types: string }>;
  };
  return Object.entries(exports).flatMap(([path, entry]) => {
    if (typeof entry === "string") return [];
    const source = entry.types.replace("./dist/", "").replace(/\.d\.ts$/, ".ts");
    return { name: `dmabuf${path.slice(1)}`, source: join(LIBRARY, source) };
  });
}

/**
 * Writes the pages of the reference to a folder.
 *
 * @throws {Error} if a comment of the sources is wrong: what it links to does not exist, or a parameter has another name.
 */
export async function writeReference(folder: string): Promise<void> {
  const library = entries();
  const app = (await Application.bootstrapWithPlugins({
    plugin: ["typedoc-plugin-markdown"],
    entryPoints: library.map(({ source }) => source),
    tsconfig: join(LIBRARY, "tsconfig.json"),
    // The build has done that.
    skipErrorChecking: true,
    out: folder,
    name: "dmabuf",
    readme: "none",
    disableSources: true,
    excludeInternal: true,
    excludePrivate: true,
    navigation: { includeCategories: false, includeGroups: true, includeFolders: false },
    logLevel: "Warn",
    treatWarningsAsErrors: true,
    validation: { notExported: false, invalidLink: true, notDocumented: false },
  })) as MarkdownApplication;
  app.options.setValue("navigationJson", join(folder, "../reference.json"));
  for (const [name, value] of Object.entries(LAYOUT)) app.options.setValue(name, value);
  const project = await app.convert();
  if (project === undefined) throw new Error("Cannot write the reference: TypeDoc has converted nothing");
  for (const module of project.children ?? []) {
    const file = module.sources?.[0]?.fullFileName;
    module.name = library.find(({ source }) => source === file)?.name ?? nameOf(library, module.name);
  }
  nameTypes(project);
  await app.generateOutputs(project);
  if (app.logger.hasErrors() || app.logger.hasWarnings()) throw new Error("Cannot write the reference: see above");
}

/** How its pages look, and that what they contain is not taken for a template. */
const LAYOUT = {
  entryFileName: "index",
  hideBreadcrumbs: true,
  hidePageHeader: true,
  indexFormat: "table",
  parametersFormat: "table",
  sanitizeComments: true,
  useCodeBlocks: true,
  useHTMLEncodedBrackets: true,
};

/** `dmabuf/node` of the module `node`. */
function nameOf(library: readonly Entry[], module: string): string {
  const name = module === "index" ? "dmabuf" : `dmabuf/${module.replace(/\/index$/, "")}`;
  if (!library.some((entry) => entry.name === name)) throw new Error(`No entry ${name} for TypeDoc's module ${module}`);
  return name;
}

/**
 * Gives types their names back: of a parameter with a default the compiler says all members of its union, which for
 * `ErrorCode` are a hundred.
 */
function nameTypes(project: ProjectReflection): void {
  const aliases = project.getReflectionsByKind(ReflectionKind.TypeAlias).filter((alias) => alias.isDeclaration());
  const named = new Map(
    aliases.flatMap((alias) => (alias.type?.type === "union" ? [[alias.type.toString(), alias] as const] : [])),
  );
  for (const parameter of project.getReflectionsByKind(ReflectionKind.Parameter)) {
    if (!parameter.isParameter() || parameter.type?.type !== "union") continue;
    const alias = named.get(parameter.type.toString());
    if (alias !== undefined) parameter.type = ReferenceType.createResolvedReference(alias.name, alias, project);
  }
}
