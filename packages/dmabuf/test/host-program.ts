/** A host in a process of its own, for tests that stop or kill it: it says what it sees, a line of JSON each. */
import process from "node:process";
import { Hosts, type HostsOptions } from "../src/hosts/index.js";
import { ProcessDomain } from "../src/node/index.js";

const options = JSON.parse(process.argv[2]!) as HostsOptions & { readonly place?: string };
const { place } = options;
const domain = place === undefined ? ProcessDomain.create() : await ProcessDomain.connect(place);
const hosts = await Hosts.join(domain, options);
const say = (line: object): void => console.log(JSON.stringify(line));
process.on("warning", ({ message }) => say({ warning: message }));
say({ self: hosts.self });
hosts.onHost(({ id, incarnation, lost }) => {
  say({ found: id, incarnation, own: hosts.self.incarnation });
  lost.addEventListener("abort", () => say({ lost: id, why: String(lost.reason) }));
});
process.once("disconnect", () => void hosts.close().then(() => domain.close()));
