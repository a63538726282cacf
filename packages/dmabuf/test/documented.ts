import { join } from "node:path";
import ts from "typescript";

/** What the declarations of the entries say about themselves: each public thing has a comment, and most have an example. */

const DIST = join(import.meta.dirname, "..", "src");

/** The declarations of the entries, which users' programs are compiled against. */
export const ENTRIES: readonly string[] = [
  "index",
  "streams",
  "web/index",
  "web/recording",
  "web/worklet",
  "node/index",
  "hosts/index",
  "linux/index",
  "testing/index",
].map((entry) => join(DIST, `${entry}.d.ts`));

const OPTIONS: ts.CompilerOptions = {
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  lib: ["lib.es2023.d.ts", "lib.es2024.sharedmemory.d.ts", "lib.esnext.disposable.d.ts"],
  types: ["node"],
  strict: true,
};

export interface Gaps {
  /** Without a comment: `Fence`, `Fence.context`, `DomainOptions.name`. */
  readonly uncommented: readonly string[];
  /** Classes and functions without an `@example`; a class may have one at a member. */
  readonly withoutExample: readonly string[];
  /** Entries without a comment for the module. */
  readonly modules: readonly string[];
}

/** What the declarations of some entries do not explain. A member has its base's comment, as in an editor. */
export function gapsIn(entries: readonly string[]): Gaps {
  const program = ts.createProgram([...entries], OPTIONS);
  const checker = program.getTypeChecker();
  const sources = entries.map((entry) => program.getSourceFile(entry)!);
  const exported = sources.flatMap((source) => checker.getExportsOfModule(checker.getSymbolAtLocation(source)!));
  const symbols = exported.map((symbol) =>
    (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol),
  );
  const isCommented = (symbol: ts.Symbol): boolean => symbol.getDocumentationComment(checker).length > 0;
  const hasExample = (symbol: ts.Symbol): boolean => symbol.getJsDocTags().some(({ name }) => name === "example");
  const uncommented: string[] = [];
  const withoutExample: string[] = [];
  for (const symbol of new Set(symbols)) {
    const members = new Set(symbol.declarations!.flatMap(membersOf).map((name) => checker.getSymbolAtLocation(name)!));
    if (!isCommented(symbol)) uncommented.push(symbol.name);
    for (const member of members) if (!isCommented(member)) uncommented.push(`${symbol.name}.${member.name}`);
    const isCalled = (symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Function)) !== 0;
    if (isCalled && ![symbol, ...members].some(hasExample)) withoutExample.push(symbol.name);
  }
  return {
    uncommented,
    withoutExample,
    modules: entries.filter((_, i) => !/^(\/\/\/.*\n)*\/\*\*/.test(sources[i]!.text)),
  };
}

/**
 * The names of all properties and methods in a declaration that are public. What the fields of a parameter's own type
 * literal mean, its function says; a type that depends on its surroundings (`AbortSignalLike`) is no type of ours.
 */
function membersOf(declaration: ts.Node): ts.Node[] {
  const names: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    const isMember = ts.isTypeElement(node) || ts.isClassElement(node);
    if (isMember && (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Private) !== 0) return;
    if (isMember && node.name !== undefined && isText(node.name)) names.push(node.name);
    if (!ts.isFunctionLike(node) && !ts.isConditionalTypeNode(node)) ts.forEachChild(node, visit);
  };
  if (!ts.isVariableDeclaration(declaration)) visit(declaration);
  return names;
}

/** Not `[Symbol.dispose]`, which does what `close()` does. */
function isText(name: ts.PropertyName): boolean {
  return ts.isIdentifier(name) || ts.isStringLiteral(name);
}
