import { useEffect, useState } from "preact/hooks";
import { isLive } from "./store.js";

/** Milliseconds from an answer to the next question. */
const EVERY = 2000;

/** What the server answers again and again while the page is live; the last answer stays while it is not. */
export interface Polled<Answer> {
  readonly answer?: Answer;
  /** Why there is no new answer; "" if there is one. */
  readonly failed: string;
}

export function usePolled<Answer>(ask: () => Promise<Answer>): Polled<Answer> {
  const [polled, setPolled] = useState<Polled<Answer>>({ failed: "" });
  const isAsking = isLive.value;
  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const take = async (): Promise<void> => {
      try {
        const answer = await ask();
        if (!isOver) setPolled({ answer, failed: "" });
      } catch (error) {
        if (!isOver) setPolled((before) => ({ ...before, failed: (error as Error).message }));
      }
      if (!isOver && isAsking) timer = setTimeout(() => void take(), EVERY);
    };
    if (isAsking || polled.answer === undefined) void take();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [ask, isAsking]);
  return polled;
}
