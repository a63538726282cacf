/** The glossary names what exists, and leaves nothing of the kernel's dma-buf interface out in silence. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..", "..");
const glossary = readFileSync(join(root, "docs", "glossary.md"), "utf8");

test("every name of ours in the glossary stands in the sources", () => {
  const known = new Set(sources().flatMap((source) => source.match(/[A-Za-z_]\w*/g) ?? []));
  const unknown = ourNames().filter((name) => !known.has(name));
  assert.deepEqual(unknown, []);
});

test("every function, operation, ioctl and flag of the kernel's dma-buf interface stands in the glossary", () => {
  const named = new Set(glossary.match(/[A-Za-z_]\w*/g));
  const missing = KERNEL.trim()
    .split(/\s+/)
    .filter((name) => !named.has(name));
  assert.deepEqual(missing, []);
});

test("what the glossary leaves out has a reason", () => {
  for (const { header, rows } of tables()) {
    if (header[0] !== "left out") continue;
    for (const [name, why] of rows) assert.ok(why !== undefined && why.length > 10, `${name} has no reason`);
  }
});

/** The names in code that the columns "here" have. */
function ourNames(): string[] {
  const names: string[] = [];
  for (const { header, rows } of tables()) {
    const column = header.indexOf("here");
    // The other column of a table says what is so in the kernel.
    const cells = column < 0 ? [] : rows.map((row) => row[column] ?? "");
    for (const code of cells.join(" ").match(/`[^`]+`/g) ?? []) {
      names.push(...(code.match(/[A-Za-z_]\w*/g) ?? []).filter((name) => !isOfOthers(name)));
    }
  }
  return [...new Set(names)];
}

interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

function tables(): Table[] {
  const blocks = glossary.split(/\n(?!\|)/).filter((block) => block.includes("\n|"));
  return blocks.map((block) => {
    const [header, , ...rows] = block.split("\n").filter((line) => line.startsWith("|"));
    return { header: cells(header!), rows: rows.map(cells) };
  });
}

function cells(line: string): string[] {
  return line
    .slice(1, -1)
    .split(" | ")
    .map((cell) => cell.trim());
}

function sources(): string[] {
  const entries = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
  const files = entries.filter((entry) => entry.endsWith(".ts") && !entry.endsWith(".test.ts"));
  return files.map((file) => readFileSync(join(root, "src", file), "utf8"));
}

/** JavaScript's own words, and the kernel's constants. */
function isOfOthers(name: string): boolean {
  return ["instanceof", "undefined", "Symbol", "dispose", "for"].includes(name) || /^[A-Z][A-Z0-9_]+$/.test(name);
}

/** What the kernel's header files for buffers, attachments and reservations declare. */
const KERNEL = `
  dma_buf dma_buf_ops dma_buf_attachment dma_buf_attach_ops dma_buf_export_info DEFINE_DMA_BUF_EXPORT_INFO
  attach detach pin unpin map_dma_buf unmap_dma_buf release begin_cpu_access end_cpu_access mmap vmap vunmap
  cache_sgt_mapping allow_peer2peer peer2peer move_notify invalidate_mappings
  dma_buf_export dma_buf_fd dma_buf_get dma_buf_put get_dma_buf dma_buf_attach dma_buf_dynamic_attach dma_buf_detach
  dma_buf_attach_revocable dma_buf_is_dynamic dma_buf_attachment_is_dynamic dma_buf_pin dma_buf_unpin
  dma_buf_map_attachment dma_buf_unmap_attachment dma_buf_map_attachment_unlocked dma_buf_unmap_attachment_unlocked
  dma_buf_move_notify dma_buf_invalidate_mappings dma_buf_begin_cpu_access dma_buf_end_cpu_access dma_buf_mmap
  dma_buf_vmap dma_buf_vunmap dma_buf_iter_begin dma_buf_iter_next dma_buf_phys_vec dma_buf_phys_vec_to_sgt dma_buf_free_sgt
  dma_buf_sync dma_buf_export_sync_file dma_buf_import_sync_file
  DMA_BUF_IOCTL_SYNC DMA_BUF_SET_NAME DMA_BUF_SET_NAME_A DMA_BUF_SET_NAME_B DMA_BUF_IOCTL_EXPORT_SYNC_FILE
  DMA_BUF_IOCTL_IMPORT_SYNC_FILE DMA_BUF_SYNC_READ DMA_BUF_SYNC_WRITE DMA_BUF_SYNC_RW DMA_BUF_SYNC_START DMA_BUF_SYNC_END
  DMA_BUF_SYNC_VALID_FLAGS_MASK DMA_BUF_NAME_LEN DMA_BUF_BASE DMA_BUF_MAGIC
  dma_resv dma_resv_usage DMA_RESV_USAGE_KERNEL DMA_RESV_USAGE_WRITE DMA_RESV_USAGE_READ DMA_RESV_USAGE_BOOKKEEP
  dma_resv_usage_rw dma_resv_init dma_resv_fini dma_resv_lock dma_resv_lock_interruptible dma_resv_lock_slow
  dma_resv_lock_slow_interruptible dma_resv_trylock dma_resv_is_locked dma_resv_locking_ctx dma_resv_unlock dma_resv_held
  dma_resv_assert_held dma_resv_reserve_fences dma_resv_add_fence dma_resv_replace_fences dma_resv_copy_fences
  dma_resv_get_fences dma_resv_get_singleton dma_resv_wait_timeout dma_resv_test_signaled dma_resv_set_deadline
  dma_resv_describe dma_resv_iter dma_resv_iter_begin dma_resv_iter_end dma_resv_iter_first dma_resv_iter_next
  dma_resv_iter_first_unlocked dma_resv_iter_next_unlocked dma_resv_iter_usage dma_resv_iter_is_restarted
  dma_resv_for_each_fence dma_resv_for_each_fence_unlocked dma_resv_reset_max_fences reservation_ww_class
  ww_acquire_ctx ww_acquire_init ww_acquire_done ww_acquire_fini
`;
