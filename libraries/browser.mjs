// A page shows the frames of its worker on a canvas, in Chromium: node libraries/browser.mjs
import { openPage } from "./browser/isolated-page.mjs";

// What they do is in these two; how they are bundled and served is in isolated-page.mjs.
const { page, close } = await openPage("page.js", "worker.js");
await page.waitForFunction("globalThis.isOver", undefined, { timeout: 50_000 });
await close();
