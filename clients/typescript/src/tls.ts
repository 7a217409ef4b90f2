/** TLS to the gateway: whose certificates are believed, and which certificate this client shows. */

import { readFileSync } from "node:fs";

/** The word of EXECSVC_TLS_CA_FILE for TLS with Node's own roots. */
const publicRoots = "public";

/** Names of PEM files; `{}` believes Node's roots and shows no certificate. */
export interface TlsFiles {
  /** The authorities to believe, and no others. */
  readonly ca?: string;
  /** This client's certificate, for a gateway that asks (mTLS), */
  readonly cert?: string;
  /** and its private key: both or neither. */
  readonly key?: string;
}

/**
 * EXECSVC_TLS_CA_FILE, EXECSVC_TLS_CLIENT_CERT_FILE and EXECSVC_TLS_CLIENT_KEY_FILE; undefined without any of them.
 * Throws on half a pair.
 */
export function tlsFromEnv(env: NodeJS.ProcessEnv): TlsFiles | undefined {
  const [ca, cert, key] = ["CA", "CLIENT_CERT", "CLIENT_KEY"].map((name) => env[`EXECSVC_TLS_${name}_FILE`] || undefined);
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  if ((cert === undefined) !== (key === undefined)) {
    throw new RangeError("EXECSVC_TLS_CLIENT_CERT_FILE and EXECSVC_TLS_CLIENT_KEY_FILE go together: set both or neither");
  }
  const pair = cert === undefined || key === undefined ? {} : { cert, key };
  return ca === undefined || ca === publicRoots ? pair : { ca, ...pair };
}

/** What Node's TLS is given. Throws on a file that cannot be read or holds something else, and on half a pair. */
export function secureOptions(files: TlsFiles): { ca?: Buffer; cert?: Buffer; key?: Buffer; minVersion: "TLSv1.2" } {
  const { ca, cert, key } = files;
  if ((cert === undefined) !== (key === undefined)) throw new RangeError("tls: cert and key go together");
  return {
    minVersion: "TLSv1.2",
    ...(ca === undefined ? {} : { ca: pem(ca, "CERTIFICATE-----") }),
    ...(cert === undefined ? {} : { cert: pem(cert, "CERTIFICATE-----") }),
    ...(key === undefined ? {} : { key: pem(key, "PRIVATE KEY-----") }),
  };
}

function pem(file: string, what: string): Buffer {
  const content = readFileSync(file);
  if (!content.includes("-----BEGIN ") || !content.includes(what)) {
    throw new RangeError(`${file}: no ${what.replace("-----", "").toLowerCase()} in PEM form is in this file`);
  }
  return content;
}
