/**
 * Another process, for tests, that looks at a domain and says what it sees.
 *
 * Usage: node onlooker.js PID|PLACE, with an IPC channel.
 */
import process from "node:process";
import { ProcessDomain } from "../../src/node/index.js";

const where = process.argv[2]!;

try {
  using observer = ProcessDomain.observe(/^\d+$/.test(where) ? Number(where) : where);
  process.send!(observer.agents);
} catch (error) {
  process.send!(String(error));
}
process.disconnect();
