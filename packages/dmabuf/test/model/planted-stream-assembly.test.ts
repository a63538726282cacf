import { testMutations } from "./planted-in-assembly.js";
import { consumes, domain, ONE, produces, scenario, seeing } from "./stream-model.js";

// Bugs in what is compiled to WebAssembly of holds and streams, as in planted-in-assembly.test.ts.

const ONE_BUFFER = { buffers: 1 };

testMutations(
  "a consumer takes frames of one buffer",
  {
    ...seeing(
      [[1, 2], [2]],
      scenario([produces(2, ONE_BUFFER), consumes(ONE, "drop-oldest", ONE_BUFFER)], ["drop-oldest"]),
    ),
    nameOf: domain.nameOf,
    landmarks: true,
  },
  [
    {
      name: "a reader that does not look for a writer after it has set its bit",
      file: "hold.ts",
      from: "  if (!hasWriter(buffer)) return true;\n  leaveReaders(buffer, identity);\n  return false;\n",
      to: "  return true;\n",
      report: /a frame was written while it was held|a consumer has seen/,
    },
    {
      name: "a writer that does not look for readers after it has set WRITER",
      file: "hold.ts",
      from: "  if (!anyReader(buffer)) return true;\n  dropWriter(buffer, identity);\n  return false;\n",
      to: "  return true;\n",
      report: /a frame was written while it was held|a consumer has seen/,
    },
    {
      name: "a consumer that does not look at the place again under its hold",
      file: "stream-slot.ts",
      from: "      if (frameIn(stream, place) == numberIn(frame)) {\n",
      to: "      if (numberIn(frame) != NONE) {\n",
      report: /a consumer has seen 2,2/,
    },
  ],
  domain.layout,
);
