/**
 * What arrives of an object of the library that was posted itself: its plain fields. By these it is known. Those of an object
 * with more fields come before one with some of them.
 */
const POSTED: readonly (readonly [fields: string, what: string, cure: string])[] = [
  ["sequence publishedAt", "a Frame", "post handle() of its stream and take it there, or post its copy()"],
  ["isProducer format", "a FrameStream", "post its handle()"],
  ["format", "a Loan", "post handle() of its stream, or of its buffer"],
  ["mode size", "a DmaBuf", "post its handle()"],
  ["offset value", "a MemoryFence", "post its handle()"],
  ["mode", "a CpuAccess", "post handle() of its buffer, or its copy()"],
  ["buffer importer", "an Attachment", "post handle() of its buffer"],
  ["context seqno", "a Fence", "post its handle()"],
  ["context name", "a timeline", "post its handle() if it is a SoftwareTimeline, else those of its fences"],
  ["priority name", "a Queue", "it runs jobs in its own thread"],
  ["descriptors", "a ProcessDomain", "post what its invite() gives"],
  ["segments", "a Mapping", "post handle() of its buffer"],
];

/** What was sent rightly, for something else. */
const SENT: readonly (readonly [fields: string, what: string])[] = [
  ["control identity port", "an invitation of dmabuf, which is for Domain.join()"],
  ["reservation files port", "an invitation of dmabuf/node, which is for ProcessDomain.join()"],
  ["descriptor", "an invitation for a child process, which is for ProcessDomain.inherit()"],
];

/** Names what came instead of a handle or an invitation, and says what to do; `undefined` for what is not known. */
export function sentInstead(value: unknown): string | undefined {
  // What says its kind is a handle, right or wrong.
  if (typeof value !== "object" || value === null || Object.hasOwn(value, "kind")) return undefined;
  const hasAll = ([fields]: readonly [fields: string, ...unknown[]]): boolean =>
    fields.split(" ").every((field) => Object.hasOwn(value, field));
  const sent = SENT.find(hasAll);
  if (sent !== undefined) return sent[1];
  // The object itself, and no copy of its fields, has a class that names it.
  if (Object.getPrototypeOf(value) !== Object.prototype) return undefined;
  const posted = POSTED.find(hasAll);
  if (posted !== undefined) return `${posted[1]} that was posted itself: ${posted[2]}`;
  if (Object.keys(value).length > 0) return undefined;
  return "an empty object, which is what arrives of a Domain, a UserFence, a Consumer or a Syncobj that is posted itself: post invite() or handle()";
}
