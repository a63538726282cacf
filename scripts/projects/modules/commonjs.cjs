// A CommonJS program: every entry by require(), and the same things as by import().
const { exports: entries } = require("dmabuf/package.json");

(async () => {
  for (const entry of Object.keys(entries).filter((name) => !name.endsWith(".json"))) {
    const name = entry.replace(".", "dmabuf");
    const required = require(name);
    const imported = await import(name);
    for (const [key, value] of Object.entries(imported)) {
      if (required[key] !== value) throw new Error(`${key} of ${name} is there twice`);
    }
  }
  const { Domain } = require("dmabuf");
  Domain.create().close();
})();
