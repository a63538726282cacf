// A model of onnxruntime-web looks at the frames of a page, in a worker of Chromium: node libraries/onnx-web.mjs
import { openPage } from "./browser/isolated-page.mjs";

// What they do is in these two; how they are bundled and served is in isolated-page.mjs.
const { page, close } = await openPage("inference.js", "inference-worker.js");
await page.waitForFunction("globalThis.isOver", undefined, { timeout: 50_000 });
await close();
