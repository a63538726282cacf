import ts from "typescript";

/** Where sources copy bytes: what the type of what is called tells, and not its name alone. */

const OPTIONS: ts.CompilerOptions = {
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  lib: ["lib.es2023.d.ts", "lib.es2024.sharedmemory.d.ts", "lib.esnext.disposable.d.ts"],
  types: ["node"],
  strict: true,
  noEmit: true,
};

const BYTES =
  /^(?:(?:Uint8|Uint8Clamped|Int8|Uint16|Int16|Uint32|Int32|BigInt64|BigUint64|Float32|Float64)Array|Buffer)\b/;
const MEMORY = /^(?:Shared)?ArrayBuffer\b|^ArrayBufferLike\b/;
const COPYING = ["set", "slice", "copyWithin", "copy"];

/** The calls that copy from one typed array, or memory, to another, as `file:line`. */
export function byteCopiesIn(files: readonly string[]): { readonly file: string; readonly line: number }[] {
  const program = ts.createProgram([...files], OPTIONS);
  const checker = program.getTypeChecker();
  const typeOf = (node: ts.Node): string => checker.typeToString(checker.getTypeAtLocation(node));
  const isBytes = (node: ts.Node | undefined): boolean => node !== undefined && BYTES.test(typeOf(node));

  const copies = (node: ts.Node): boolean => {
    // new Uint8Array(bytes)
    if (ts.isNewExpression(node)) return isBytes(node) && isBytes(node.arguments?.[0]);
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false;
    const { expression: on, name } = node.expression;
    // Uint8Array.from(bytes), Buffer.concat([…])
    if (ts.isIdentifier(on) && BYTES.test(on.text))
      return name.text === "concat" || (name.text === "from" && isBytes(node.arguments[0]));
    if (!COPYING.includes(name.text)) return false;
    return isBytes(on) || (name.text === "slice" && MEMORY.test(typeOf(on)));
  };

  return files.flatMap((file) => {
    const source = program.getSourceFile(file)!;
    const found: { file: string; line: number }[] = [];
    const visit = (node: ts.Node): void => {
      if (copies(node)) found.push({ file, line: source.getLineAndCharacterOfPosition(node.getStart()).line + 1 });
      ts.forEachChild(node, visit);
    };
    visit(source);
    return found;
  });
}
