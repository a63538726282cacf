import { isLive } from "./store.js";

/**
 * Asks the server again and again while the page is looked at, each time after the last answer.
 *
 * @param ask It keeps what is answered, and does not fail.
 * @param every Milliseconds between an answer and the next question.
 * @param isWanted Whether to ask just now. Default: while the page is live.
 * @returns What ends it.
 */
export function askAgain(ask: () => Promise<void>, every: number, isWanted = () => isLive.value): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const turn = async (): Promise<void> => {
    if (isWanted() && document.visibilityState === "visible") await ask();
    if (!isOver) timer = setTimeout(() => void turn(), every);
  };
  void turn();
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}
