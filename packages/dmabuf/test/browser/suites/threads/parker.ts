/** A worker that says "ready", parks on word 0 until that is no longer 0, and then adds one to word 2. */
import { createSharedSubstrate } from "../../../../src/substrate/shared-array.js";

interface WorkerRealm {
  onmessage: (event: { data: SharedArrayBuffer }) => void;
  postMessage(message: string): void;
}

const realm = globalThis as unknown as WorkerRealm;

realm.onmessage = ({ data }) => {
  const memory = createSharedSubstrate(data);
  realm.postMessage("ready");
  while (memory.load(0) === 0) memory.park(0, 0, Infinity);
  memory.add(2, 1);
  memory.wake(2);
};
