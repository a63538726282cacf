/** A worker that is invited by a page; or one that makes a domain, or that is invited by that one. */
import { Domain, type Invitation, type StreamHandleData, rawFormat } from "dmabuf";
import { joinFromPage } from "dmabuf/web";

interface Message {
  readonly makes?: MessagePort;
  readonly waits?: MessagePort;
  readonly state?: "idle" | "busy";
}

/** From the one that makes the domain to the one that it invites. */
interface Sent {
  readonly invitation: Invitation;
  readonly handle: StreamHandleData;
}

const first = new Promise<Message>((got) => {
  addEventListener("message", ({ data }: MessageEvent<Message>) => {
    if (data.makes !== undefined || data.waits !== undefined) got(data);
  });
});
void joinFromPage<Domain, Message>(Domain).then(({ data }) => be(data.state));
const { makes, waits, state } = await first;
if (makes !== undefined) await make(makes, state);
else await wait(waits!);

async function make(port: MessagePort, state: Message["state"]): Promise<void> {
  const domain = Domain.create({ name: "inviter" });
  const stream = domain.createStream({ format: rawFormat(4096) });
  const invitation = domain.invite({ name: "invited" });
  await domain.ready;
  port.postMessage({ invitation, handle: stream.handle() }, [invitation.port]);
  await stream.waitForConsumers(1);
  be(state);
}

async function wait(port: MessagePort): Promise<void> {
  const { invitation, handle } = await new Promise<Sent>((got) => {
    port.onmessage = ({ data }: MessageEvent<Sent>) => got(data);
  });
  const domain = Domain.join(invitation);
  const consumer = domain.import(handle).frames();
  await domain.ready;
  postMessage("joined");
  await consumer.next().catch(() => undefined);
  postMessage(performance.timeOrigin + performance.now());
}

function be(state: Message["state"]): void {
  // A turn later: what the caller waits for is said by then.
  if (state === "busy")
    setTimeout(() => {
      for (;;);
    }, 20);
}
