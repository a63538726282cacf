import { computed, signal } from "@preact/signals";

/** Where the page is: `#/VIEW/KIND/ID`, the view and the thing whose details are shown. Links and the Back button do the rest. */

/** What has details. */
export type Selection =
  | { readonly kind: "agent"; readonly identity: number }
  | { readonly kind: "buffer"; readonly inode: number }
  | { readonly kind: "stream"; readonly key: string };

const hash = signal(location.hash);
addEventListener("hashchange", () => (hash.value = location.hash));

const parts = computed(() => hash.value.replace(/^#\/?/, "").split("/").map(decodeURIComponent));

/** The name of the view; "" for the first one. */
export const viewName = computed(() => parts.value[0] ?? "");

export const selection = computed((): Selection | undefined => {
  const [, kind, id = ""] = parts.value;
  if (kind === "agent") return { kind, identity: Number(id) };
  if (kind === "buffer") return { kind, inode: Number(id) };
  return kind === "stream" ? { kind, key: id } : undefined;
});

export function viewLink(view: string): string {
  return `#/${view}`;
}

/** A link that shows the details of a thing beside the view that is open. */
export function selectionLink(thing: Selection): string {
  const id = thing.kind === "agent" ? thing.identity : thing.kind === "buffer" ? thing.inode : thing.key;
  return `#/${viewName.value || "overview"}/${thing.kind}/${encodeURIComponent(id)}`;
}

/** Shows no details any more. */
export function deselect(): void {
  location.hash = viewLink(viewName.value || "overview");
}

export function isSelected(thing: Selection): boolean {
  return selection.value !== undefined && selectionLink(selection.value) === selectionLink(thing);
}
