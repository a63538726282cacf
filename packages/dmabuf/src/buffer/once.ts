/** A function that runs at its first call only. */
export function once(run: () => void): () => void {
  let due = true;
  return () => {
    if (!due) return;
    due = false;
    run();
  };
}
