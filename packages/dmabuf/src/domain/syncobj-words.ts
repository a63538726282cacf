/** The words of a syncobj's slot; a part of the layout, see layout.ts. */

/** One syncobj that several agents use, its references and two copies of its fences. */
export const SYNCOBJ = {
  STATE: 0, // 64 bits, as a buffer's
  LOCK: 2, // identity of the agent that changes the fences, 0 if open
  PUBLISHED: 3, // counts the changes; its lowest bit says which copy is valid
  TRANSITS_USED: 4, // how many places for handles in flight were ever used
  ARRAYS: 6,
} as const;

/** How many fences a shared syncobj has room for. */
export const SYNCOBJ_FENCES = 64;

/** `JOINS`: of one array with the fence before it, which signals with `ANY`. */
export const POINT_FLAG = { STUB: 1, LINK: 2, JOINS: 4, ANY: 8 } as const;

/** One fence of a syncobj. */
export const POINT = {
  SLOT: 0, // fence slot << 4 | POINT_FLAG
  GENERATION: 1,
  SEQUENCE: 2, // 64 bits; of a stub, when it signaled
  SEQNO: 4, // 64 bits: the link's point
  PREVIOUS: 6, // 64 bits: the point of the link before
  CONTEXT: 8, // 64 bits: the link's fence context
  WORDS: 10,
} as const;

/** One copy of the fences: their number in the first word, the fences two words later. */
export const POINTS_WORDS = 2 + SYNCOBJ_FENCES * POINT.WORDS;
