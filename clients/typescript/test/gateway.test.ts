import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { connect, fromEnv, type GatewayOptions } from "@execsvc/client";
import { rightsProblem } from "../src/token-file.js";

const letsOthersIn = "lets others in; wanted 0400 or 0600 (0440 when root owns it)";
const posix = process.platform !== "win32"; // elsewhere the mode says nothing of who may read

test("a token never leaves this machine in the open", () => {
  const rows: [GatewayOptions, boolean][] = [
    [{ target: "10.1.2.3:50051", token: "t", plaintext: true }, true],
    [{ target: "gateway.internal:50051", token: "t", plaintext: true }, true],
    [{ target: "127.0.0.1.example.com:50051", token: "t", plaintext: true }, true],
    [{ target: "gateway.internal:50051", token: "t" }, false],
    [{ target: "gateway.internal:50051", plaintext: true }, false],
    [{ target: "127.0.0.1:50051", token: "t" }, false],
    [{ target: "[::1]:50051", token: "t" }, false],
    [{ target: "localhost:50051", token: "t" }, false],
    [{ token: "t" }, false],
  ];
  for (const [options, refused] of rows) {
    const attempt = () => connect(options).close();
    if (refused) assert.throws(attempt, RangeError, JSON.stringify(options));
    else assert.doesNotThrow(attempt, JSON.stringify(options));
  }
});

function scratch(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "execsvc-"));
  context.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** What fromEnv says to that file; empty: it is read. Whatever it says, the token is not in it. */
function refusalOf(file: string): string {
  try {
    fromEnv({ EXECSVC_TOKEN_FILE: file });
    return "";
  } catch (refused) {
    assert.ok(refused instanceof RangeError && refused.cause === undefined);
    assert.ok(!refused.message.includes("s3cret"), refused.message);
    const [before, said] = refused.message.split(`${file}: `);
    assert.equal(before, "EXECSVC_TOKEN_FILE: ");
    return said ?? "";
  }
}

test("a token comes from one place or not at all", (context) => {
  const folder = scratch(context);
  const [full, empty] = [join(folder, "full"), join(folder, "empty")];
  writeFileSync(full, "from-file\n", { mode: 0o600 });
  writeFileSync(empty, " \n", { mode: 0o600 });
  const read = (token: string, file: string) => fromEnv({ EXECSVC_TOKEN: token, EXECSVC_TOKEN_FILE: file }).token;
  assert.equal(read("from-env", ""), "from-env");
  assert.equal(read("", full), "from-file");
  assert.equal(read("", ""), undefined);
  for (const [token, file] of [["from-env", full], ["", empty], ["", join(folder, "absent")]] as const) {
    assert.throws(() => read(token, file), Error, `${token} and ${file}`);
  }
});

test("a token file that others may read is refused", { skip: !posix }, (context) => {
  const file = join(scratch(context), "token");
  writeFileSync(file, "s3cret\n");
  for (const mode of [0o600, 0o400]) {
    chmodSync(file, mode);
    assert.equal(refusalOf(file), "", mode.toString(8));
  }
  for (const mode of [0o644, 0o640, 0o604, 0o660, 0o700]) {
    chmodSync(file, mode);
    assert.equal(refusalOf(file), `mode 0${mode.toString(8)} ${letsOthersIn}`);
  }
});

test("a token file is ours or root's", () => {
  const rows: [number, number, string | undefined][] = [
    [0o600, 1000, undefined],
    [0o400, 0, undefined],
    [0o600, 1001, "owned by somebody else"],
    [0o440, 0, undefined],
    [0o440, 1000, `mode 0440 ${letsOthersIn}`],
    [0o4600, 1000, `mode 4600 ${letsOthersIn}`],
  ];
  for (const [mode, owner, said] of rows) assert.equal(rightsProblem(mode, owner, 1000), said, `${mode} of ${owner}`);
});

test("a token file that holds something else is refused", (context) => {
  const file = join(scratch(context), "token");
  const rows: [Buffer | string, string][] = [
    ["x".repeat(65_536), ""],
    ["x".repeat(65_537), "longer than 65536 bytes"],
    [Buffer.from([0x73, 0x33, 0xff]), "not UTF-8 text"],
    [" \n", "empty"],
  ];
  for (const [content, said] of rows) {
    writeFileSync(file, content, { mode: 0o600 });
    assert.equal(refusalOf(file), said);
  }
});

test("what is no file is refused without waiting", { skip: !posix }, (context) => {
  const folder = scratch(context);
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", ["-m", "600", pipe]);
  for (const path of [pipe, folder]) assert.equal(refusalOf(path), "not a regular file");
});
