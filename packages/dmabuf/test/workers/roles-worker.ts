/** Joins the domain and plays the role that it is told. */
import { workerData } from "node:worker_threads";
import { Domain, type Invitation } from "../../src/index.js";
import type { Task } from "./worker-party.js";
import { roles } from "./roles.js";

const { invitation, task } = workerData as { invitation: Invitation; task: Task };
const plays = roles as unknown as Record<string, (domain: Domain, details: unknown) => Promise<void>>;
await plays[task.role]!(Domain.join(invitation), task.details);
