import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createSecureServer, type Http2SecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { TLSSocket } from "node:tls";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { connect, fromEnv, type TlsFiles } from "@execsvc/client";
import { AdminService } from "@execsvc/client/v1";

const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Signs certificates with the openssl program; `ca` is what those who believe it are given. */
class Authority {
  readonly ca: string;

  constructor(private readonly folder: string) {
    this.ca = join(folder, "ca.pem");
    this.openssl("req", "-x509", ...curve, "-keyout", `${this.ca}.key`, "-out", this.ca, "-subj", "/CN=tests", "-days", "1");
  }

  issue(name: string): { cert: string; key: string } {
    const [cert, key, request] = [join(this.folder, `${name}.pem`), join(this.folder, `${name}.key`), join(this.folder, "r")];
    const names = join(this.folder, "names");
    writeFileSync(names, "subjectAltName = IP:127.0.0.1, DNS:localhost\n");
    this.openssl("req", "-new", ...curve, "-keyout", key, "-out", request, "-subj", `/CN=${name}`);
    const signer = ["-CA", this.ca, "-CAkey", `${this.ca}.key`, "-CAcreateserial", "-days", "1"];
    this.openssl("x509", "-req", "-in", request, ...signer, "-extfile", names, "-out", cert);
    return { cert, key };
  }

  private openssl(...args: string[]): void {
    execFileSync("openssl", args, { stdio: "pipe" });
  }
}

function authority(context: TestContext): Authority {
  const folder = mkdtempSync(join(tmpdir(), "execsvc-"));
  context.after(() => rmSync(folder, { recursive: true }));
  return new Authority(folder);
}

/** A gateway behind TLS that says who came: the token, and the name of the client's certificate. */
async function serve(context: TestContext, signer: Authority, asks: boolean): Promise<string> {
  const shown = signer.issue("gateway");
  const names = new WeakMap<object, string>();
  const adapter = connectNodeAdapter({
    routes: (router) => {
      router.rpc(AdminService.method.getServerInfo, (_request, { requestHeader }) => ({
        caller: requestHeader.get("authorization") ?? "",
        venue: requestHeader.get("x-test-shown") ?? "",
      }));
    },
  });
  const server: Http2SecureServer = createSecureServer(
    {
      cert: readFileSync(shown.cert),
      key: readFileSync(shown.key),
      ...(asks ? { ca: readFileSync(signer.ca), requestCert: true, rejectUnauthorized: true } : {}),
    },
    (request, response) => {
      request.headers["x-test-shown"] = names.get(request.stream.session ?? request) ?? "";
      adapter(request, response);
    },
  );
  server.on("session", (session) => {
    const subject = (session.socket as TLSSocket).getPeerCertificate().subject;
    if (subject?.CN !== undefined) names.set(session, String(subject.CN));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  context.after(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function ask(target: string, tls: TlsFiles): Promise<{ caller: string; venue: string }> {
  const gateway = connect({ target, token: "xs_1_a", tls, timeoutMs: 3000 });
  try {
    return await gateway.admin.getServerInfo({});
  } finally {
    gateway.close();
  }
}

test("the authority of the file is believed and no other", async (context) => {
  const [ours, stranger] = [authority(context), authority(context)];
  const target = await serve(context, ours, false);
  assert.equal((await ask(target, { ca: ours.ca })).caller, "Bearer xs_1_a");
  await assert.rejects(ask(target, { ca: stranger.ca }));
  await assert.rejects(ask(target, {}));
});

test("the client's certificate is shown", async (context) => {
  const ours = authority(context);
  const target = await serve(context, ours, true);
  assert.equal((await ask(target, { ca: ours.ca, ...ours.issue("bot-7") })).venue, "bot-7");
  await assert.rejects(ask(target, { ca: ours.ca }));
});

test("files that are no certificates are refused at once", (context) => {
  const ours = authority(context);
  const { cert, key } = ours.issue("bot");
  const rows: TlsFiles[] = [{ ca: key }, { ca: `${key}.absent` }, { cert: key, key: cert }, { cert }, { key }];
  for (const tls of rows) assert.throws(() => connect({ tls }), Error, JSON.stringify(tls));
  assert.throws(() => connect({ tls: { ca: ours.ca }, plaintext: true }), RangeError);
});

test("the environment names the TLS files", () => {
  const read = (ca: string, cert: string, key: string) =>
    fromEnv({ EXECSVC_TLS_CA_FILE: ca, EXECSVC_TLS_CLIENT_CERT_FILE: cert, EXECSVC_TLS_CLIENT_KEY_FILE: key }).tls;
  assert.equal(read("", "", ""), undefined);
  assert.deepEqual(read("ca.pem", "", ""), { ca: "ca.pem" });
  assert.deepEqual(read("public", "", ""), {});
  assert.deepEqual(read("", "c.pem", "k.pem"), { cert: "c.pem", key: "k.pem" });
  assert.throws(() => read("", "c.pem", ""), RangeError);
  assert.throws(() => read("", "", "k.pem"), RangeError);
});
