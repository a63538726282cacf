/**
 * The report of the public API: what each entry of the library exports, in `packages/dmabuf/api/ENTRY.api.md`.
 *
 * `node scripts/api-report.mjs` writes it. With `--check` nothing is written: status 1 says that the report differs from
 * what is exported now, or that a public declaration names a type that no entry exports.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { CompilerState, Extractor, ExtractorConfig } from "@microsoft/api-extractor";

const LIBRARY = join(import.meta.dirname, "../packages/dmabuf");
const REPORTS = join(LIBRARY, "api");

/** A declaration in a report that is marked as internal. */
const INTERNAL = /^ *\/\/ @internal.*\n(?: *\/\/.*\n)* *(.+)/gm;

const isCheck = process.argv.includes("--check");
const temporary = mkdtempSync(join(tmpdir(), "dmabuf-api-"));
try {
  process.exitCode = main();
} finally {
  rmSync(temporary, { recursive: true });
}

function main() {
  mkdirSync(REPORTS, { recursive: true });
  const { exports, name } = JSON.parse(readFileSync(join(LIBRARY, "package.json"), "utf8"));
  const entries = Object.entries(exports).filter(([, target]) => target.types !== undefined);
  const configs = entries.map(([path, { types }]) =>
    configOf(path === "." ? name : path.slice(2).replace("/", "-"), types),
  );
  const additionalEntryPoints = configs.map(({ mainEntryPointFilePath }) => mainEntryPointFilePath);
  const compilerState = CompilerState.create(configs[0], { additionalEntryPoints });
  const reports = configs.map((config) => report(config, compilerState));

  const changed = reports.filter((entry) => entry.isChanged).map((entry) => entry.name);
  const faults = reports.flatMap((entry) => entry.faults);
  if (isCheck && changed.length > 0) {
    faults.push(`The public API of ${changed.join(", ")} has changed. If that is on purpose: npm run api`);
  }
  for (const type of notExported(reports.map(({ text }) => text)))
    faults.push(`A public declaration names ${type}, which no entry exports`);
  for (const { name: entry, text } of reports) {
    for (const [, member] of text.matchAll(INTERNAL)) faults.push(`${entry} publishes what is internal: ${member}`);
  }
  for (const fault of faults) console.error(`api: ${fault}`);
  if (!isCheck) console.log(`api: ${changed.length === 0 ? "nothing has changed" : `written: ${changed.join(", ")}`}`);
  return faults.length > 0 ? 1 : 0;
}

/** @param types The entry's declarations, as the package names them. */
function configOf(name, types) {
  const entry = join(LIBRARY, types);
  const lib = ["ES2023", "ES2024.SharedMemory", "ESNext.Disposable"];
  const options = { target: "ES2023", module: "NodeNext", lib, types: ["node"], strict: true, skipLibCheck: true };
  return ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(LIBRARY, "package.json"),
    configObject: {
      projectFolder: LIBRARY,
      mainEntryPointFilePath: entry,
      compiler: { overrideTsconfig: { compilerOptions: options, files: [entry] } },
      apiReport: {
        enabled: true,
        reportFileName: `${name}.api.md`,
        reportFolder: REPORTS,
        reportTempFolder: temporary,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: "lf",
      messages: {
        compilerMessageReporting: { default: { logLevel: "error" } },
        extractorMessageReporting: {
          default: { logLevel: "warning", addToApiReportFile: true },
          // Tests say whether all is documented; there are no releases of parts; links are for editors.
          "ae-undocumented": { logLevel: "none" },
          "ae-missing-release-tag": { logLevel: "none" },
          "ae-unresolved-link": { logLevel: "none" },
        },
        tsdocMessageReporting: { default: { logLevel: "none" } },
      },
    },
  });
}

/** Writes or compares the report of one entry. */
function report(config, compilerState) {
  const name = basename(config.reportFilePath, ".api.md");
  const faults = [];
  const { apiReportChanged } = Extractor.invoke(config, {
    compilerState,
    localBuild: !isCheck,
    messageCallback: (message) => {
      message.handled = true;
      if (message.logLevel === "error") faults.push(`${name}: ${message.text}`);
    },
  });
  return { name, text: readFileSync(config.reportTempFilePath, "utf8"), isChanged: apiReportChanged, faults };
}

/** The types that reports name and none of them exports. */
function notExported(texts) {
  const all = texts.join("\n");
  const declared =
    /^export (?:declare )?(?:abstract )?(?:class|interface|type|const|let|function|enum|namespace) (\w+)/gm;
  const exported = new Set([...all.matchAll(declared)].map(([, type]) => type));
  const named = [...all.matchAll(/\(ae-forgotten-export\) The symbol "(\w+)"/g)].map(([, type]) => type);
  return [...new Set(named)].filter((type) => !exported.has(type)).sort();
}
