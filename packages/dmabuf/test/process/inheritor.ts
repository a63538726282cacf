/**
 * A forked process, for tests, that takes a descriptor for an invitation, says how that went, and then uses its channel.
 *
 * Usage: node inheritor.js DESCRIPTOR
 */
import process from "node:process";
import { codeOf } from "../../src/errors.js";
import { ProcessDomain } from "../../src/node/index.js";

const descriptor = Number(process.argv[2]);
const outcome = await ProcessDomain.inherit({ descriptor, timeout: 30_000 }).then(() => "joined", codeOf);
const again = await ProcessDomain.inherit({ descriptor, timeout: 30_000 }).then(() => "joined", codeOf);
process.send!({ outcome, again });
process.on("message", () => process.exit(0));
