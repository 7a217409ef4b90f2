/**
 * What execsvc itself says about a failed call.
 *
 * Every error of the server carries one google.rpc.ErrorInfo of the domain "execsvc". An error without it was made by this
 * process or by a proxy (a deadline, a broken connection) and says nothing about the order. The two messages of
 * google.rpc are read by hand: the contract imports no googleapis, so there is no generated code for them.
 */

import { BinaryReader } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";

const domain = "execsvc";

export interface Refusal {
  /** What to do next. */
  readonly code: Code;
  /** Why: a name of ErrorReason without its prefix; one newer than this client is possible. */
  readonly reason: string;
  /** One sentence for people; never to be parsed. */
  readonly message: string;
  /** On a placement id_used: "false", the same id may be sent again; "true", a new try needs a new id. */
  readonly metadata: Readonly<Record<string, string>>;
  /** When to try again; undefined: waiting does not help. */
  readonly retryAfterMs: number | undefined;
}

/** Reads our refusal out of an error; undefined: the error is not ours and says nothing about the order. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  const info = detail(error, "google.rpc.ErrorInfo");
  const { reason, from, metadata } = info === undefined ? emptyInfo() : readErrorInfo(info);
  if (from !== domain) return undefined;
  const retry = detail(error, "google.rpc.RetryInfo");
  const retryAfterMs = retry === undefined ? undefined : readRetryInfo(retry);
  return { code: error.code, reason, message: error.rawMessage, metadata, retryAfterMs };
}

function detail(error: ConnectError, type: string): Uint8Array | undefined {
  for (const one of error.details) {
    if ("type" in one && one.type === type) return one.value;
  }
  return undefined;
}

interface Info {
  reason: string;
  from: string;
  metadata: Record<string, string>;
}

function emptyInfo(): Info {
  // No prototype: a key such as "constructor" is data like any other.
  return { reason: "", from: "", metadata: Object.create(null) as Record<string, string> };
}

/** ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; } */
function readErrorInfo(bytes: Uint8Array): Info {
  const info = emptyInfo();
  eachField(bytes, (reader, field) => {
    if (field === 1) info.reason = reader.string();
    else if (field === 2) info.from = reader.string();
    else if (field === 3) {
      const [key, value] = readEntry(reader.bytes());
      info.metadata[key] = value;
    } else return false;
    return true;
  });
  return info;
}

function readEntry(bytes: Uint8Array): [string, string] {
  const entry: [string, string] = ["", ""];
  eachField(bytes, (reader, field) => {
    if (field !== 1 && field !== 2) return false;
    entry[field - 1] = reader.string();
    return true;
  });
  return entry;
}

/** RetryInfo { Duration retry_delay = 1; } with Duration { int64 seconds = 1; int32 nanos = 2; }, in milliseconds. */
function readRetryInfo(bytes: Uint8Array): number {
  let ms = 0;
  eachField(bytes, (outer, field) => {
    if (field !== 1) return false;
    eachField(outer.bytes(), (reader, part) => {
      if (part === 1) ms += Number(reader.int64()) * 1000;
      else if (part === 2) ms += reader.int32() / 1e6;
      else return false;
      return true;
    });
    return true;
  });
  return ms;
}

/** Walks the fields of a message; `read` says whether it took the field, else it is skipped. */
function eachField(bytes: Uint8Array, read: (reader: BinaryReader, field: number) => boolean): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (!read(reader, field)) reader.skip(wireType, field);
  }
}
