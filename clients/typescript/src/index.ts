/** The thin client; the messages, enums and services of the contract are in `@execsvc/client/v1`. */

export { compareDecimals, percentOf } from "./decimal.js";
export { connect, fromEnv, version, type Gateway, type GatewayOptions } from "./gateway.js";
export { refusalOf, type Refusal } from "./refusal.js";
export { retryInterceptor, retryPolicy, type RetryPolicy } from "./retry.js";
export { type TlsFiles } from "./tls.js";
