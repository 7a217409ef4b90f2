/**
 * Exact arithmetic on the decimals of the contract, as far as an order needs it.
 *
 * Prices and quantities are text on the wire and stay text here: a JavaScript number would lose digits. Values are read
 * as a whole number of units of the last digit, so nothing is ever rounded unasked.
 */

const grammar = /^(-?)(0|[1-9][0-9]{0,17})(?:\.([0-9]{1,18}))?$/;

interface Units {
  /** The value times ten to the power of `scale`. */
  readonly count: bigint;
  readonly scale: number;
}

function parse(text: string): Units {
  const match = grammar.exec(text);
  if (match === null) throw new RangeError(`not a decimal of the contract: ${JSON.stringify(text)}`);
  const [, sign = "", whole = "", fraction = ""] = match;
  const count = BigInt(whole + fraction);
  if (sign !== "" && count === 0n) throw new RangeError("zero has no sign");
  return { count: sign === "" ? count : -count, scale: fraction.length };
}

function at(scale: number, { count, scale: own }: Units): bigint {
  return count * 10n ** BigInt(scale - own);
}

/** Compares two decimals by value (1.50 equals 1.5): below 0, 0 or above 0. Throws RangeError on other text. */
export function compareDecimals(a: string, b: string): number {
  const [left, right] = [parse(a), parse(b)];
  const scale = Math.max(left.scale, right.scale);
  const difference = at(scale, left) - at(scale, right);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/**
 * Takes a whole percentage of a price and rounds down to a multiple of the increment, which gives the scale of the
 * answer. Throws RangeError on text that is no decimal, on a negative price and on an increment that is not above 0.
 */
export function percentOf(price: string, percent: number, increment: string): string {
  const [value, step] = [parse(price), parse(increment)];
  if (value.count < 0n || step.count <= 0n) throw new RangeError("a price is never negative, an increment above 0");
  const scale = Math.max(value.scale, step.scale);
  const steps = (at(scale, value) * BigInt(percent)) / (100n * at(scale, step));
  return write(steps * step.count, step.scale);
}

function write(count: bigint, scale: number): string {
  if (scale === 0) return count.toString();
  const digits = count.toString().padStart(scale + 1, "0");
  return `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
