/** Has a lab, with a process on a host and a NATS server on another, tells of it, and waits to be killed. */
import process from "node:process";
import { Lab, startNats } from "../src/index.js";

const lab = Lab.create(2);
const { pid } = lab.hosts[0]!.spawn("sleep", ["1000"], { stdio: "ignore" });
const server = await startNats(lab.hosts[1]);
const outside = await startNats();
process.send!({ pids: [pid, server.pid, outside.pid] });
setInterval(() => {}, 1_000);
