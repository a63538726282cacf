/** Three frames of a ring, of which one is handed on. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
      <rect x="1" y="8" width="6" height="8" rx="1.5" class="mark-quiet" />
      <rect x="9" y="5" width="6" height="14" rx="1.5" class="mark-loud" />
      <rect x="17" y="8" width="6" height="8" rx="1.5" class="mark-quiet" />
    </svg>
  );
}
