/**
 * Canonical JSON (RFC 8785 for the values used here: objects, arrays, strings, booleans, null, finite numbers): keys
 * sorted by UTF-16 code units, no white space. Equal documents have equal bytes, so equal CIDs.
 */
import { AssayError } from '../errors.ts';

/** What a JSON document can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * The one spelling of `value`.
 * @throws AssayError `JSON_VALUE` for what JSON cannot carry exactly (NaN, infinities, bigint, undefined, functions).
 */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  // Array.from, not map: a hole is refused like any undefined.
  if (Array.isArray(value)) return `[${Array.from(value, (item) => canonicalJson(item as Json)).join(',')}]`;
  if (typeof value === 'object') {
    const object = value as { readonly [key: string]: Json };
    const members = Object.keys(object)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${canonicalJson(object[key]!)}`);
    return `{${members.join(',')}}`;
  }
  throw new AssayError('JSON_VALUE', {
    summary: 'a value cannot be written as JSON',
    expected: 'null, boolean, finite number, string, array or object',
    received: String(value),
  });
}
