/** The examples of docs/spec/facts.md, and whether real facts look like them. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const PAGE = fileURLToPath(new URL('../../docs/spec/facts.md', import.meta.url));
/** Shortened in the page: real facts may have more fields inside. */
const SHORTENED = new Set(['parameters', 'round', 'aggregators', 'participants', 'events']);

export function factsExamples(): Record<string, Record<string, unknown>> {
  const blocks = readFileSync(PAGE, 'utf8').matchAll(/^```json facts=(\w+)\n([\s\S]*?)\n```$/gm);
  return Object.fromEntries([...blocks].map(([, name = '', text = '']) => [name, JSON.parse(text)]));
}

export function factsExample(name: string): Record<string, unknown> {
  const example = factsExamples()[name];
  if (example === undefined) throw new Error(`docs/spec/facts.md has no example named ${name}`);
  return example;
}

export async function readFacts(path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
}

/** The same fields with values of the same types; inside what the page shortens, at least the fields it shows. */
export function expectFields(facts: Record<string, unknown>, example: Record<string, unknown>, where: string): void {
  expect(facts, where).to.have.all.keys(Object.keys(example));
  for (const [key, value] of Object.entries(example)) expectShape(facts[key], value, `${where}.${key}`);
}

function expectShape(value: unknown, example: unknown, where: string): void {
  expect(typeOf(value), where).to.equal(typeOf(example));
  const field = where.split('.').at(-1) ?? '';
  if (Array.isArray(example) && Array.isArray(value)) {
    if (example.length > 0 && field === 'events') {
      const [shown] = example as { type: string }[];
      const real = (value as { type: string }[]).find(({ type }) => type === shown!.type);
      expectFields(real as never, shown as never, `${where}.${shown!.type}`);
    } else if (example.length > 0) expectShape(value[0], example[0], `${where}.0`);
  } else if (typeOf(example) === 'object' && field !== 'gateways') {
    const isShort = where.split('.').some((part) => SHORTENED.has(part));
    if (isShort) expect(value, where).to.include.all.keys(Object.keys(example as object));
    else expect(value, where).to.have.all.keys(Object.keys(example as object));
    for (const [key, inner] of Object.entries(example as object)) {
      expectShape((value as Record<string, unknown>)[key], inner, `${where}.${key}`);
    }
  }
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
