import { useEffect, useRef, useState } from "preact/hooks";
import { askAgain } from "./ask-again.js";
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
  const wasAsked = useRef(false);
  useEffect(() => {
    let isOver = false;
    const take = async (): Promise<void> => {
      wasAsked.current = true;
      try {
        const answer = await ask();
        if (!isOver) setPolled({ answer, failed: "" });
      } catch (error) {
        if (!isOver) setPolled((before) => ({ ...before, failed: (error as Error).message }));
      }
    };
    const end = askAgain(take, EVERY, () => isLive.value || !wasAsked.current);
    return () => {
      isOver = true;
      end();
    };
  }, [ask]);
  return polled;
}
