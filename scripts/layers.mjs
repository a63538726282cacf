/**
 * The layers of src/, from low to high.
 *
 * layers.1. A module imports from its own layer and from lower ones, never from a higher one.
 * layers.2. A neutral layer imports relative modules only: no Node.js module, no package, nothing at run time.
 * layers.3. Every file of src/ belongs to exactly one layer.
 * layers.4. No module compares the numbers of two fences by hand.
 * layers.5. No end of anything in `linux` makes a request of a device but through giveBack(), which cannot fail.
 * layers.6. A package that uses the library imports it by its public names. One file of the benchmarks may do otherwise.
 *
 * Tests may look from above: layers.1 to layers.5 hold for `*.test.ts` only as far as their author wishes.
 */

/** Where the library is. */
const HOME = "packages/dmabuf/src";

/** A name with an ending is one file of src/, one without is a folder. */
export const LAYERS = [
  { name: "using.ts", neutral: true },
  { name: "explanation.ts", neutral: true },
  { name: "errors.ts", neutral: true },
  { name: "validation-report.ts", neutral: true },
  { name: "all-or-nothing.ts", neutral: true },
  { name: "posted.ts", neutral: true },
  { name: "arguments.ts", neutral: true },
  { name: "substrate", neutral: true },
  { name: "protocol", neutral: true },
  { name: "host", neutral: true },
  { name: "domain", neutral: true },
  { name: "trace", neutral: true },
  { name: "fence", neutral: true },
  { name: "reservation", neutral: true },
  { name: "buffer", neutral: true },
  { name: "stream", neutral: true },
  { name: "window", neutral: true },
  { name: "queue", neutral: true },
  { name: "explain", neutral: true },
  { name: "validator", neutral: true },
  { name: "domain-base.ts", neutral: true },
  { name: "invite-options.ts", neutral: true },
  { name: "join-options.ts", neutral: true },
  { name: "features.ts", neutral: true },
  { name: "thread-domain.ts", neutral: true },
  { name: "threads.ts", neutral: true },
  { name: "streams.ts", neutral: true },
  { name: "index.ts", neutral: true },
  { name: "web", neutral: true },
  { name: "testing", neutral: true },
  { name: "node", neutral: false },
  { name: "hosts", neutral: false },
  { name: "linux", neutral: false },
  { name: "opentelemetry", neutral: false },
  { name: "cli", neutral: false },
];

/** How deep folders may nest in a layer. */
const DEEPEST = 3;

/** ESLint configuration that enforces layers.1 to layers.6. */
export function layerConfig() {
  const places = LAYERS.flatMap((layer, rank) => depths(layer).map((depth) => place(layer, rank, depth)));
  return [homeless(), ...places, ...userConfig()];
}

/** Folders of the packages that use the library as any program does. */
const USERS = [
  "packages/demo",
  "packages/bench",
  "packages/tools",
  "packages/inspector",
  "packages/site",
  "packages/web-demo",
  "packages/client-suite",
];

/** What the benchmarks measure by itself although the library does not publish it. */
const DOORS = ["packages/bench/src/internals.ts"];

/** layers.6, for the files of those packages at each depth. */
function userConfig() {
  const message = "A package imports another one by its public name.";
  return Array.from({ length: DEEPEST }, (_, index) => index + 1).map((depth) => ({
    name: `layers/users/${depth}`,
    files: USERS.map((folder) => `${folder}/${"*/".repeat(depth)}*.{ts,tsx}`),
    ignores: DOORS,
    rules: {
      "no-restricted-imports": ["error", { patterns: [{ regex: `^${"\\.\\./".repeat(depth + 1)}`, message }] }],
    },
  }));
}

/** layers.3: each file that no later entry claims. */
function homeless() {
  const message = "This file belongs to no layer: name its layer in scripts/layers.mjs";
  return {
    name: "layers/none",
    files: [`${HOME}/**/*.ts`],
    ignores: ["**/*.test.ts"],
    rules: { "no-restricted-syntax": ["error", { selector: "Program", message }] },
  };
}

/** How many folders lie between src/ and the layer's files. */
function depths(layer) {
  return isFile(layer) ? [0] : Array.from({ length: DEEPEST }, (_, index) => index + 1);
}

/** layers.1 and layers.2 for the files of one layer at one depth: the depth tells how a path to another layer begins. */
function place(layer, rank, depth) {
  const root = depth === 0 ? "\\./" : "\\.\\./".repeat(depth);
  const files = isFile(layer) ? `${HOME}/${layer.name}` : `${HOME}/${layer.name}/${"*/".repeat(depth - 1)}*.ts`;
  const patterns = LAYERS.slice(rank + 1).map((higher) => ({
    regex: `^${root}${target(higher)}`,
    message: `${layer.name} is a lower layer than ${higher.name}, and no layer imports upward.`,
  }));
  patterns.push({ regex: `^${"\\.\\./".repeat(depth + 1)}`, message: "src/ imports nothing from outside src/." });
  patterns.push({ regex: "^dmabuf(/|$)", message: "The package does not import itself: name the module." });
  if (layer.neutral) patterns.push({ regex: "^[^.]", message: `${layer.name} is neutral: relative imports only.` });
  const late = { selector: "ImportExpression", message: `${layer.name} is neutral: no import at run time.` };
  const order = {
    selector: 'BinaryExpression[operator=/^([<>]=?|-)$/] > MemberExpression[property.name="seqno"]',
    message: "How a fence's context counts, and whether its numbers wrap, is known to isLaterFence() alone.",
  };
  const general = layer.name === "linux" ? [order, ENDS] : [order];
  return {
    name: `layers/${layer.name}/${depth}`,
    files: [files],
    ignores: ["**/*.test.ts"],
    rules: {
      "no-restricted-imports": ["error", { patterns }],
      "no-restricted-syntax": ["error", ...(layer.neutral ? [late] : []), ...general],
    },
  };
}

/** layers.5 */
const ENDS = {
  selector:
    ':matches(MethodDefinition[key.name="close"], MethodDefinition[key.property.name="dispose"]) ' +
    'CallExpression:matches([callee.property.name="request"], [callee.name=/^(rawCall|call|closeDescriptor)$/])' +
    ':not(CallExpression[callee.name="giveBack"] CallExpression)',
  message: "The device may be gone: give back by giveBack(), which does not throw.",
};

/** What follows src/ in a path into the layer, as a regular expression. */
function target(layer) {
  return isFile(layer) ? `${layer.name.replace(/\.ts$/, "\\.js")}$` : `${layer.name}(/|$)`;
}

function isFile(layer) {
  return layer.name.endsWith(".ts");
}
