import { Domain, rawFormat } from "dmabuf/streams";

const domain = Domain.create();
const stream = domain.createStream({ format: rawFormat(4) });
const invitation = domain.invite();
const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
worker.postMessage({ invitation, stream: stream.handle() }, [invitation.port]);
const loan = await stream.loan();
loan.bytes.fill(7);
loan.publish();
stream.end();
