import { Domain } from "dmabuf";
import { joinFromPage } from "dmabuf/web";
import type { Start } from "../shared/messages.js";
import type { RoleModule } from "./role.js";

/**
 * The script of every worker: it joins the page's domain, and loads the part that it plays. So all workers have one chunk of
 * the library in common.
 */

const ROLES: Readonly<Record<Start["role"], () => Promise<RoleModule>>> = {
  source: () => import("./roles/source.js"),
  picture: () => import("./roles/picture.js"),
  motion: () => import("./roles/motion.js"),
  histogram: () => import("./roles/histogram.js"),
  slow: () => import("./roles/slow.js"),
  tone: () => import("./roles/tone.js"),
  recorder: () => import("./roles/recorder.js"),
};

// In the first turn: the invitation is on its way already.
const { domain, data: start } = await joinFromPage<Domain, Start>(Domain);
const { run } = await ROLES[start.role]();
await run({ domain, ...start });
