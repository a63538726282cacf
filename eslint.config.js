import comments from "@eslint-community/eslint-plugin-eslint-comments/configs";
import eslint from "@eslint/js";
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";
import { layerConfig } from "./scripts/layers.mjs";

/** node:test collects what these return by itself. */
const NODE_TEST = { from: "package", package: "node:test", name: ["test", "it", "describe", "suite"] };

export default defineConfig(
  globalIgnores([
    "**/dist/",
    "node_modules",
    "demo-output/",
    "**/protocol/*binary.ts",
    "**/protocol/assembly/",
    "packages/web-demo/assembly/*.ts",
    "**/generated/",
    "scripts/projects/**/*.ts",
  ]),
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  eslint.configs.recommended,
  comments.recommended,
  {
    rules: {
      "max-lines": ["error", { max: 400, skipBlankLines: true, skipComments: true }],
      "no-restricted-globals": [
        "error",
        {
          globals: [{ name: "Atomics", message: "Only src/substrate/ says Atomics: go through a Substrate." }],
          checkGlobalObject: true,
        },
      ],
      eqeqeq: "error",
      "@eslint-community/eslint-comments/require-description": "error",
      "@eslint-community/eslint-comments/disable-enable-pair": ["error", { allowWholeFile: true }],
    },
  },
  {
    files: ["**/*.{ts,tsx}"],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-floating-promises": ["error", { allowForKnownSafeCalls: [NODE_TEST] }],
      // No `import()` in a type: it would escape the layers' rules.
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/return-await": "error",
      "@typescript-eslint/only-throw-error": "error",
      "@typescript-eslint/no-deprecated": "error",
      "@typescript-eslint/no-unnecessary-boolean-literal-compare": "error",
      "@typescript-eslint/prefer-readonly": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      // An asynchronous interface may have a synchronous answer, and `async` makes its throw a rejection.
      // A domain's class gets the members that its features' interfaces declare.
      "@typescript-eslint/no-unsafe-declaration-merging": "off",
      "@typescript-eslint/no-empty-object-type": ["error", { allowInterfaces: "with-single-extends" }],
      "@typescript-eslint/require-await": "off",
    },
  },
  {
    files: ["**/*.{js,mjs}"],
    languageOptions: {
      globals: {
        Buffer: "readonly",
        console: "readonly",
        process: "readonly",
        URL: "readonly",
        WebAssembly: "readonly",
      },
    },
  },
  {
    files: ["libraries/*.mjs"],
    languageOptions: {
      globals: {
        fetch: "readonly",
        Response: "readonly",
        structuredClone: "readonly",
        TextDecoder: "readonly",
        TextEncoder: "readonly",
      },
    },
  },
  // Most names there are the browser's.
  { files: ["libraries/browser/*.js", "packages/web-demo/examples/*.js"], rules: { "no-undef": "off" } },
  {
    files: ["packages/web-demo/page/public/*.js"],
    languageOptions: { globals: { fetch: "readonly", Headers: "readonly", Response: "readonly", self: "readonly" } },
  },
  // Programs of users, for pages and for test runners, too.
  { files: ["scripts/projects/**"], rules: { "no-undef": "off" } },
  // What comes with a worker is `any`, and an example needs no cast.
  { files: ["packages/dmabuf/examples/**/*.ts"], rules: { "@typescript-eslint/no-unsafe-assignment": "off" } },
  { files: ["packages/dmabuf/src/substrate/**/*.ts"], rules: { "no-restricted-globals": "off" } },
  layerConfig(),
);
