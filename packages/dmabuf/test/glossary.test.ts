/** The glossary names what exists, and leaves nothing of the kernel's dma-buf interface out in silence. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..", "..");
const glossary = readFileSync(join(root, "..", "..", "docs", "glossary.md"), "utf8");

test("every name of the library in the glossary is in the sources", () => {
  const known = new Set(sources().flatMap((source) => source.match(/[A-Za-z_]\w*/g) ?? []));
  const unknown = ourNames().filter((name) => !known.has(name));
  assert.deepEqual(unknown, []);
});

test("every function, operation, ioctl and flag of the kernel's dma-buf interface is in the glossary", () => {
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

/**
 * What the kernel's header files declare: of buffers, attachments, reservations, fences, sync files, software
 * timelines, syncobjs, heaps and the scheduler.
 */
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
  dma_fence dma_fence_cb dma_fence_ops DMA_FENCE_FLAG_SEQNO64_BIT DMA_FENCE_FLAG_SIGNALED_BIT DMA_FENCE_FLAG_TIMESTAMP_BIT
  DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT DMA_FENCE_FLAG_USER_BITS DMA_FENCE_FLAG_INITIALIZED_BIT DMA_FENCE_FLAG_INLINE_LOCK_BIT
  get_driver_name get_timeline_name enable_signaling signaled wait release fence_value_str timeline_value_str set_deadline
  use_64bit_seqno dma_fence_init dma_fence_init64 dma_fence_release dma_fence_describe dma_fence_begin_signalling
  dma_fence_end_signalling dma_fence_signal dma_fence_signal_timestamp dma_fence_check_and_signal dma_fence_default_wait
  dma_fence_add_callback dma_fence_remove_callback dma_fence_enable_sw_signaling dma_fence_is_signaled
  dma_fence_test_signaled_flag dma_fence_was_initialized
  dma_fence_is_later dma_fence_is_later_or_same dma_fence_later dma_fence_get_status dma_fence_set_error
  dma_fence_timestamp dma_fence_wait_timeout dma_fence_wait_any_timeout dma_fence_wait dma_fence_set_deadline
  dma_fence_get_stub dma_fence_allocate_private_stub dma_fence_context_alloc dma_fence_is_array dma_fence_is_chain
  dma_fence_is_container
  dma_fence_array dma_fence_array_cb dma_fence_array_alloc dma_fence_array_init dma_fence_array_create dma_fence_match_context
  dma_fence_array_first dma_fence_array_next dma_fence_array_for_each to_dma_fence_array
  dma_fence_chain dma_fence_chain_init dma_fence_chain_alloc dma_fence_chain_free dma_fence_chain_walk
  dma_fence_chain_find_seqno dma_fence_chain_contained dma_fence_chain_for_each to_dma_fence_chain
  dma_fence_unwrap dma_fence_unwrap_first dma_fence_unwrap_next dma_fence_unwrap_for_each dma_fence_unwrap_merge
  dma_fence_dedup_array
  sync_file sync_file_create sync_file_get_fence sync_file_get_name POLL_ENABLED SYNC_IOC_MERGE SYNC_IOC_FILE_INFO
  SYNC_IOC_SET_DEADLINE SYNC_IOC_MAGIC sync_merge_data sync_file_info sync_fence_info sync_set_deadline
  SW_SYNC_IOC_CREATE_FENCE SW_SYNC_IOC_INC SW_SYNC_GET_DEADLINE SW_SYNC_IOC_MAGIC sw_sync_create_fence_data sw_sync_get_deadline
  sync_timeline sync_pt
  drm_syncobj drm_syncobj_create drm_syncobj_find drm_syncobj_find_fence drm_syncobj_fence_get drm_syncobj_replace_fence
  drm_syncobj_add_point drm_syncobj_get_handle drm_syncobj_get_fd
  DRM_IOCTL_SYNCOBJ_CREATE DRM_IOCTL_SYNCOBJ_DESTROY DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE
  DRM_IOCTL_SYNCOBJ_WAIT DRM_IOCTL_SYNCOBJ_RESET DRM_IOCTL_SYNCOBJ_SIGNAL DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT
  DRM_IOCTL_SYNCOBJ_QUERY DRM_IOCTL_SYNCOBJ_TRANSFER DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL DRM_IOCTL_SYNCOBJ_EVENTFD
  DRM_SYNCOBJ_CREATE_SIGNALED DRM_CAP_SYNCOBJ DRM_CAP_SYNCOBJ_TIMELINE
  dma_heap dma_heap_ops dma_heap_export_info dma_heap_add dma_heap_get_name dma_heap_get_drvdata DMA_HEAP_IOCTL_ALLOC
  DMA_HEAP_VALID_FD_FLAGS DMA_HEAP_VALID_HEAP_FLAGS DMA_HEAP_IOC_MAGIC dma_heap_allocation_data mem_accounting
  UDMABUF_CREATE UDMABUF_CREATE_LIST UDMABUF_FLAGS_CLOEXEC udmabuf_create udmabuf_create_list udmabuf_create_item
  list_limit size_limit_mb
  drm_gpu_scheduler drm_sched_init drm_sched_fini drm_sched_entity drm_sched_entity_init drm_sched_entity_flush
  drm_sched_entity_fini drm_sched_entity_destroy drm_sched_entity_error drm_sched_entity_push_job
  drm_sched_entity_set_priority drm_sched_entity_modify_sched drm_sched_job drm_sched_job_init drm_sched_job_arm
  drm_sched_job_add_dependency drm_sched_job_add_syncobj_dependency drm_sched_job_add_resv_dependencies
  drm_sched_job_add_implicit_dependencies drm_sched_job_has_dependency drm_sched_job_is_signaled drm_sched_job_cleanup drm_sched_backend_ops run_job timedout_job
  free_job prepare_job cancel_job drm_sched_fence drm_sched_start drm_sched_stop drm_sched_fault drm_sched_tdr_queue_imm
  drm_sched_suspend_timeout drm_sched_resume_timeout drm_sched_resubmit_jobs drm_sched_increase_karma drm_sched_pick_best
  DRM_GPU_SCHED_STAT_RESET DRM_SCHED_FENCE_DONT_PIPELINE drm_sched_priority drm_sched_wqueue_stop drm_sched_wqueue_start drm_sched_wqueue_ready
  DRM_IOCTL_VGEM_FENCE_ATTACH DRM_IOCTL_VGEM_FENCE_SIGNAL VGEM_FENCE_WRITE
`;
