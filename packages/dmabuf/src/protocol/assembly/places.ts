import { BUFFER, START } from "./layout";

export function bufferAt(slot: i32): i32 {
  return START.buffers + slot * BUFFER.WORDS;
}
