/** Joins, and fills the buffer it is sent with 0xa5. */
import { workerData } from "node:worker_threads";
import { Domain, type Invitation, type ReceivedHandle } from "../../src/index.js";

const { invitation, handle } = workerData as { invitation: Invitation; handle: ReceivedHandle };
using domain = Domain.join(invitation);
using buffer = domain.import(handle);
using access = buffer.accessSync("write");
access.bytes.fill(0xa5);
