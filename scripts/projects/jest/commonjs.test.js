const [major, minor] = process.versions.node.split(".").map(Number);

test("a CommonJS test imports the library", async () => {
  const { Domain } = await import("dmabuf");
  const domain = Domain.create();
  expect(domain.allocate(4096).size).toBe(4096);
  domain.close();
});

// From Node.js 24.9 on Jest has require() of a module, too.
(major > 24 || (major === 24 && minor >= 9) ? test : test.skip)("a CommonJS test requires the library", () => {
  const { Domain } = require("dmabuf");
  Domain.create().close();
});
