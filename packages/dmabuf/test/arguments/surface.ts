import { join } from "node:path";
import ts from "typescript";

/** Everything public that takes arguments, read from the declarations of the entries: no table has to name it. */

/** Reached through `domain.agent`, or what a user or the platform makes: no functions that programs call on us. */
const INNER = new Set(["Agent", "Layout", "Host", "Substrate", "Importer", "MessagePortLike"]);

/** Objects of ours that are not looked into: only their class, or what they can do, is asked about. */
const OPAQUE = new Set(["JoinedDomain", "Domain", "ProcessDomain", "Agent", "Layout", "Substrate", "ModuleMemory"]);

/** What values a type takes, as far as nonsense needs it. */
export interface Shape {
  /** Whether any value at all is taken. */
  readonly takesAll: boolean;
  /** What `typeof` may say; for strings, see {@link words}. */
  readonly primitives: ReadonlySet<string>;
  /** The only strings or numbers that are taken, if there are such. */
  readonly words: ReadonlySet<unknown>;
  readonly takesNull: boolean;
  readonly takesLists: boolean;
  /** Whether some of the types is an object of ours that is described by its fields, as options are. */
  readonly fields: readonly Field[] | undefined;
}

export interface Field {
  readonly name: string;
  /** Whether only some of several types have it: then it is looked at in these only. */
  readonly isOfSome?: boolean;
  readonly isOptional: boolean;
  readonly shape: Shape;
}

export interface PublicFunction {
  /** As messages name it: "DmaBuf.access()", "new Timeline()", "imageFormat()", and "DmaBuf.name" for a setter. */
  readonly id: string;
  readonly kind: "function" | "static" | "constructor" | "method" | "setter";
  /** The class, for all but functions. */
  readonly owner: string;
  readonly member: string;
  /** Whether it returns a promise, and so must not throw. */
  readonly isAsync: boolean;
  readonly parameters: readonly Field[];
}

const DIST = join(import.meta.dirname, "..", "..", "src");

const OPTIONS: ts.CompilerOptions = {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  lib: ["lib.es2023.d.ts", "lib.es2024.sharedmemory.d.ts", "lib.esnext.disposable.d.ts"],
  types: ["node"],
  strict: true,
  exactOptionalPropertyTypes: true,
};

/** The declarations of an entry. */
function declarations(entry: string): string {
  return join(DIST, `${entry}.d.ts`);
}

/**
 * @param entry The module's path in `src/`, without an ending. @param known Types that another entry has shown already.
 */
export function publicFunctions(entry: string, known: Set<string> = new Set()): PublicFunction[] {
  const file = declarations(entry);
  const program = ts.createProgram([file], OPTIONS);
  return new Surface(program.getTypeChecker(), known).read(program.getSourceFile(file)!);
}

/** The names of the classes and interfaces that entries export. */
export function publicTypes(entries: readonly string[]): Set<string> {
  const files = entries.map(declarations);
  const program = ts.createProgram(files, OPTIONS);
  const checker = program.getTypeChecker();
  const modules = files.map((file) => checker.getSymbolAtLocation(program.getSourceFile(file)!)!);
  return new Set(modules.flatMap((module) => checker.getExportsOfModule(module)).map(({ name }) => name));
}

class Surface {
  readonly #checker: ts.TypeChecker;
  readonly #known: Set<string>;
  readonly #functions: PublicFunction[] = [];
  /** The classes that can be named as values: of the others no program reaches the constructor and what is static. */
  readonly #values = new Set<ts.Symbol>();

  constructor(checker: ts.TypeChecker, known: Set<string>) {
    this.#checker = checker;
    this.#known = known;
  }

  read(source: ts.SourceFile): PublicFunction[] {
    const exports = this.#checker.getExportsOfModule(this.#checker.getSymbolAtLocation(source)!).map((exported) => {
      const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
      const symbol = isAlias ? this.#checker.getAliasedSymbol(exported) : exported;
      if (!exported.declarations!.some(isTypeOnly)) this.#values.add(symbol);
      return { exported, symbol };
    });
    for (const { exported, symbol } of exports) {
      for (const declaration of symbol.declarations ?? []) {
        if (ts.isFunctionDeclaration(declaration)) this.#addFunction(exported.name, declaration);
        // What only users make, such as options and operations, has no functions of ours.
        else if (ts.isClassDeclaration(declaration)) this.#addMembers(declaration);
        // Members that a class gets at run time: the interface of its name says which.
        else if (ts.isInterfaceDeclaration(declaration) && symbol.flags & ts.SymbolFlags.Class) {
          this.#inherit(declaration);
          this.#addOwn(declaration, false);
        }
      }
    }
    return this.#functions;
  }

  #addFunction(name: string, declaration: ts.FunctionDeclaration): void {
    if (this.#isKnown(declaration, name)) return;
    this.#add({ id: `${name}()`, kind: "function", owner: "", member: name }, declaration);
  }

  #addMembers(type: ts.ClassDeclaration | ts.InterfaceDeclaration): void {
    const owner = type.name!.text;
    if (INNER.has(owner) || this.#isKnown(type, owner)) return;
    const isValue = this.#values.has(this.#checker.getSymbolAtLocation(type.name!)!);
    this.#inherit(type);
    this.#addOwn(type, isValue);
  }

  #addOwn(type: ts.ClassDeclaration | ts.InterfaceDeclaration, isValue: boolean): void {
    const owner = type.name!.text;
    for (const member of type.members) {
      const flags = ts.getCombinedModifierFlags(member);
      if ((flags & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) !== 0 || isInternal(member)) continue;
      const isStatic = (flags & ts.ModifierFlags.Static) !== 0;
      if (!isValue && (isStatic || ts.isConstructorDeclaration(member))) continue;
      if (ts.isConstructorDeclaration(member)) {
        this.#add({ id: `new ${owner}()`, kind: "constructor", owner, member: "constructor" }, member);
        continue;
      }
      if (member.name === undefined || ts.isPrivateIdentifier(member.name)) continue;
      const name = member.name.getText();
      if (ts.isSetAccessor(member)) {
        this.#add({ id: `${owner}.${name}`, kind: "setter", owner, member: name }, member);
      } else if (ts.isMethodDeclaration(member) || ts.isMethodSignature(member)) {
        this.#add({ id: `${owner}.${name}()`, kind: isStatic ? "static" : "method", owner, member: name }, member);
      } else if (ts.isPropertyDeclaration(member) || ts.isPropertySignature(member) || ts.isGetAccessor(member)) {
        this.#addProperty(owner, name, this.#checker.getTypeAtLocation(member));
      }
    }
  }

  #inherit(type: ts.ClassDeclaration | ts.InterfaceDeclaration): void {
    for (const { types } of type.heritageClauses ?? [])
      for (const base of types) this.#follow(this.#checker.getTypeAtLocation(base));
  }

  /** A property may be a function, or have some. */
  #addProperty(owner: string, name: string, type: ts.Type): void {
    const [signature] = type.getCallSignatures();
    if (signature?.declaration === undefined) this.#follow(type);
    else
      this.#add(
        { id: `${owner}.${name}()`, kind: "method", owner, member: name },
        signature.declaration as ts.SignatureDeclaration,
      );
  }

  /** What a function gives back may have functions, too, and be exported nowhere. */
  #follow(type: ts.Type, depth = 3): void {
    if (depth === 0) return;
    const types = type.isUnionOrIntersection() ? type.types : [type];
    for (const part of types) {
      for (const argument of this.#checker.getTypeArguments(part as ts.TypeReference))
        this.#follow(argument, depth - 1);
      for (const declaration of part.symbol?.declarations ?? []) {
        if (!declaration.getSourceFile().fileName.startsWith(DIST)) continue;
        if (ts.isClassDeclaration(declaration) || ts.isInterfaceDeclaration(declaration)) this.#addMembers(declaration);
      }
    }
  }

  #add(named: Pick<PublicFunction, "id" | "kind" | "owner" | "member">, declaration: ts.SignatureDeclaration): void {
    const signature = this.#checker.getSignatureFromDeclaration(declaration)!;
    if (!ts.isConstructorDeclaration(declaration)) this.#follow(signature.getReturnType());
    const given = declaration.parameters.filter((parameter) => !parameter.getFullText().includes("@internal"));
    if (given.length === 0) return;
    const alternatives = this.#alternatives(given[0]!);
    for (const [kind, type] of alternatives) {
      const parameters = [{ name: given[0]!.name.getText(), isOptional: false, shape: this.#shapeOf(type, 1) }];
      this.#functions.push({ ...named, id: `${named.id} of ${kind}`, isAsync: false, parameters });
    }
    if (alternatives.length > 0) return;
    const parameters = given.map((parameter, i): Field => {
      const type = this.#checker.getTypeAtLocation(parameter);
      // In an emitted declaration a parameter that is taken apart has no name.
      const name = ts.isIdentifier(parameter.name) ? parameter.name.text : i === given.length - 1 ? "options" : "";
      return { name, isOptional: parameter.questionToken !== undefined, shape: this.#shapeOf(type, 1) };
    });
    const isAsync = signature.getReturnType().symbol?.name === "Promise";
    this.#functions.push({ ...named, isAsync, parameters });
  }

  /** What an argument may be whose `kind` decides what the function returns: each is tried by itself. */
  #alternatives(parameter: ts.ParameterDeclaration): [kind: string, type: ts.Type][] {
    const type = this.#checker.getTypeAtLocation(parameter);
    const constraint = type.isTypeParameter() ? this.#checker.getBaseConstraintOfType(type) : undefined;
    if (constraint?.isUnion() !== true) return [];
    return constraint.types.flatMap((one): [string, ts.Type][] => {
      const [kind, form] = ["kind", "form"].map((name) => {
        const property = one.getProperty(name);
        const word = property && this.#checker.getTypeOfSymbol(property);
        return word?.isStringLiteral() === true ? word.value : undefined;
      });
      return kind === undefined ? [] : [[form === undefined ? kind : `${kind}, ${form}`, one]];
    });
  }

  #isKnown(declaration: ts.Declaration, name: string): boolean {
    const key = `${declaration.getSourceFile().fileName} ${name}`;
    if (this.#known.has(key)) return true;
    this.#known.add(key);
    return false;
  }

  #shapeOf(type: ts.Type, depth: number): Shape {
    const primitives = new Set<string>();
    const words = new Set<unknown>();
    let [takesAll, takesNull, takesLists] = [false, false, false];
    const objects: (readonly Field[])[] = [];
    for (const part of type.isUnion() ? type.types : [type]) {
      if (part.isLiteral() && !(part.flags & ts.TypeFlags.BigIntLiteral)) words.add(part.value);
      else if (part.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown | ts.TypeFlags.TypeParameter)) takesAll = true;
      else if (part.flags & ts.TypeFlags.Null) takesNull = true;
      else if (PRIMITIVES.some(([flag, name]) => (part.flags & flag) !== 0 && primitives.add(name))) continue;
      else if (part.getCallSignatures().length > 0) primitives.add("function");
      else if (
        this.#checker.isArrayLikeType(part) ||
        part.getProperties().some(({ name }) => name.startsWith("__@iterator"))
      )
        takesLists = true;
      else if (this.#isOurs(part)) objects.push(depth > 0 ? this.#fieldsOf(part, depth - 1) : []);
    }
    return { takesAll, primitives, words, takesNull, takesLists, fields: merged(objects) };
  }

  /** Whether a type is described by its fields: no class, and nothing of the language's or of Node.js'. */
  #isOurs(type: ts.Type): boolean {
    if (OPAQUE.has(type.symbol?.name)) return false;
    if (type.isIntersection()) return type.types.some((part) => this.#isOurs(part));
    const declarations = (type.aliasSymbol ?? type.symbol)?.declarations ?? [];
    const isOurs = (declaration: ts.Declaration): boolean =>
      declaration.getSourceFile().fileName.startsWith(DIST) && !ts.isClassDeclaration(declaration);
    return (declarations.length > 0 && declarations.every(isOurs)) || isMapped(type);
  }

  #fieldsOf(type: ts.Type, depth: number): Field[] {
    return this.#checker.getPropertiesOfType(type).map((property): Field => {
      const isOptional = (property.flags & ts.SymbolFlags.Optional) !== 0;
      return { name: property.name, isOptional, shape: this.#shapeOf(this.#checker.getTypeOfSymbol(property), depth) };
    });
  }
}

const PRIMITIVES: readonly (readonly [ts.TypeFlags, string])[] = [
  [ts.TypeFlags.StringLike, "string"],
  [ts.TypeFlags.NumberLike, "number"],
  [ts.TypeFlags.BigIntLike, "bigint"],
  [ts.TypeFlags.BooleanLike, "boolean"],
  [ts.TypeFlags.ESSymbolLike, "symbol"],
  [ts.TypeFlags.VoidLike, "undefined"],
];

/** The fields of an object that may be of several types. */
function merged(objects: readonly (readonly Field[])[]): readonly Field[] | undefined {
  if (objects.length < 2) return objects[0];
  const names = new Set(objects.flat().map(({ name }) => name));
  return [...names].map((name) => {
    const same = objects.map((fields) => fields.find((field) => field.name === name));
    const [field] = same.filter((one) => one !== undefined);
    return { ...field!, isOfSome: same.includes(undefined) };
  });
}

function isTypeOnly(declaration: ts.Declaration): boolean {
  return ts.isExportSpecifier(declaration) && (declaration.isTypeOnly || declaration.parent.parent.isTypeOnly);
}

/** As `Pick` and `Partial` make them, of a type of ours. */
function isMapped(type: ts.Type): boolean {
  return ((type as ts.ObjectType).objectFlags & ts.ObjectFlags.Mapped) !== 0;
}

function isInternal(node: ts.Node): boolean {
  return ts.getJSDocCommentsAndTags(node).some((comment) => comment.getText().includes("@internal"));
}
