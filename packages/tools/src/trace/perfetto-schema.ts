import protobuf from "protobufjs";

/**
 * The part of Perfetto's published format that is written here: `Trace` and what it is made of, with its names and numbers
 * (perfetto.protos, in `protos/perfetto/trace/` of its repository).
 */
const SCHEMA = {
  Trace: { fields: { packet: { rule: "repeated", type: "TracePacket", id: 1 } } },
  TracePacket: {
    fields: {
      clockSnapshot: { type: "ClockSnapshot", id: 6 },
      timestamp: { type: "uint64", id: 8 },
      trustedPacketSequenceId: { type: "uint32", id: 10 },
      trackEvent: { type: "TrackEvent", id: 11 },
      sequenceFlags: { type: "uint32", id: 13 },
      timestampClockId: { type: "uint32", id: 58 },
      trackDescriptor: { type: "TrackDescriptor", id: 60 },
    },
  },
  ClockSnapshot: {
    fields: {
      clocks: { rule: "repeated", type: "Clock", id: 1 },
      primaryTraceClock: { type: "uint32", id: 2 },
    },
    nested: { Clock: { fields: { clockId: { type: "uint32", id: 1 }, timestamp: { type: "uint64", id: 2 } } } },
  },
  TrackDescriptor: {
    fields: {
      uuid: { type: "uint64", id: 1 },
      name: { type: "string", id: 2 },
      process: { type: "ProcessDescriptor", id: 3 },
      parentUuid: { type: "uint64", id: 5 },
    },
  },
  ProcessDescriptor: { fields: { pid: { type: "int32", id: 1 }, processName: { type: "string", id: 6 } } },
  TrackEvent: {
    fields: {
      debugAnnotations: { rule: "repeated", type: "DebugAnnotation", id: 4 },
      type: { type: "uint32", id: 9 },
      trackUuid: { type: "uint64", id: 11 },
      categories: { rule: "repeated", type: "string", id: 22 },
      name: { type: "string", id: 23 },
      flowIds: { rule: "repeated", type: "fixed64", id: 47 },
    },
  },
  DebugAnnotation: {
    fields: {
      intValue: { type: "int64", id: 4 },
      stringValue: { type: "string", id: 6 },
      name: { type: "string", id: 10 },
    },
  },
};

/** What `TrackEvent.type` may be here. */
export const EVENT_TYPE = { SLICE_BEGIN: 1, SLICE_END: 2, INSTANT: 3 } as const;

/** Perfetto's numbers of the clocks. */
export const CLOCK = { REALTIME: 1, MONOTONIC: 3 } as const;

/** The first packet of a sequence: nothing of one before it counts. */
export const INCREMENTAL_STATE_CLEARED = 1;

/** Encodes a whole trace. */
export const Trace = protobuf.Root.fromJSON({ nested: SCHEMA }).lookupType("Trace");
