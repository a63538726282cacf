/** A worker with `dmabuf/streams` alone, which joins by `joinFromPage()`. */
import { Domain } from "../../../../src/streams.js";
import { joinFromPage } from "../../../../src/web/index.js";

void joinFromPage(Domain).catch(() => {});
