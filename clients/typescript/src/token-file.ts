/**
 * The file that a caller's token lies in: read only while nobody else can. The rule is the gateway's for its own secrets, in
 * the same words; a token that others may read is theirs too.
 */

import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";

const bytesMax = 64 * 1024;
// Where the system has them: waits for no pipe, takes no terminal.
const openFlags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/**
 * The token, without blanks around it. Throws on a file that cannot be read, is empty or no text, or is not its owner's
 * alone: 0400 or 0600 and ours or root's, or 0440 and root's, as systemd and Kubernetes can mount secrets.
 */
export function readToken(path: string): string {
  const handle = openSync(path, openFlags);
  try {
    const raw = problemOf(fstatSync(handle)) ?? upTo(handle, bytesMax + 1);
    const token = typeof raw === "string" ? undefined : textOf(raw);
    const problem = typeof raw === "string" ? raw : problemIn(raw, token);
    if (problem !== undefined) throw new RangeError(`EXECSVC_TOKEN_FILE: ${path}: ${problem}`);
    return token ?? "";
  } finally {
    closeSync(handle);
  }
}

function upTo(handle: number, bytes: number): Buffer {
  const found = Buffer.alloc(bytes);
  let length = 0;
  for (let more = -1; more !== 0 && length < bytes; length += more) {
    more = readSync(handle, found, length, bytes - length, null);
  }
  return found.subarray(0, length);
}

/** Undefined where it is no text: no error carries the bytes along. */
function textOf(raw: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(raw).trim();
  } catch {
    return undefined;
  }
}

function problemIn(raw: Buffer, token: string | undefined): string | undefined {
  if (raw.length > bytesMax) return `longer than ${bytesMax} bytes`;
  if (token === undefined) return "not UTF-8 text";
  return token === "" ? "empty" : undefined;
}

function problemOf(status: Stats): string | undefined {
  if (!status.isFile()) return "not a regular file";
  const us = process.geteuid?.();
  return us === undefined ? undefined : rightsProblem(status.mode & 0o7777, status.uid, us); // without users: Windows
}

/** What is wrong with a file of that mode and owner, for us. */
export function rightsProblem(mode: number, owner: number, us: number): string | undefined {
  if (mode === 0o400 || mode === 0o600) return owner === us || owner === 0 ? undefined : "owned by somebody else";
  if (mode === 0o440 && owner === 0) return undefined;
  const shown = mode.toString(8).padStart(4, "0");
  return `mode ${shown} lets others in; wanted 0400 or 0600 (0440 when root owns it)`;
}
