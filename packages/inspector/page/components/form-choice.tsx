import { computed, signal, type ReadonlySignal } from "@preact/signals";
import { isNarrow } from "../store/narrow.js";

const FORMS = ["graph", "list"] as const;

/** How a view shows what is related: as the person wants, or as what fits. */
export interface Form extends ReadonlySignal<(typeof FORMS)[number]> {
  readonly choose: (form: (typeof FORMS)[number]) => void;
}

export function createForm(): Form {
  const wanted = signal<(typeof FORMS)[number] | undefined>();
  const form = computed(() => wanted.value ?? (isNarrow.value ? "list" : "graph"));
  return Object.assign(form, { choose: (chosen: (typeof FORMS)[number]) => void (wanted.value = chosen) });
}

export function FormChoice({ form }: { form: Form }) {
  return (
    <div class="choice" role="group" aria-label="How it is shown">
      {FORMS.map((each) => (
        <button key={each} type="button" aria-pressed={form.value === each} onClick={() => form.choose(each)}>
          {each === "graph" ? "Graph" : "List"}
        </button>
      ))}
    </div>
  );
}
