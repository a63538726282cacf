/** A worker that joins through the small entry, takes all frames of a stream, and says what it got. */
import { Domain, type Invitation, type StreamHandleData } from "../../../../src/streams.js";

interface WorkerRealm {
  onmessage: (event: { data: { readonly invitation: Invitation; readonly stream: StreamHandleData } }) => void;
  postMessage(message: unknown): void;
}

const realm = globalThis as unknown as WorkerRealm;

realm.onmessage = ({ data: { invitation, stream } }) => {
  const domain = Domain.join(invitation);
  void domain.ready.then(async () => {
    const frames: unknown[] = [];
    for await (using frame of domain.import(stream).frames()) frames.push([frame.bytes[0], frame.data]);
    realm.postMessage(frames);
  });
};
