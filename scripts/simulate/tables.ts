/** A grid's results as the robust-aggregation papers print them: rule by attack, the worst column, means over seeds. */
import { type Cell, ruleLabel } from '../../client/simulation/cell.ts';
import type { FinishedCell } from '../../client/simulation/journal.ts';
import { cellTask } from '../../client/simulation/modelChoice.ts';
import type { CellResult } from '../../client/simulation/simulateCell.ts';
import { type Measure, measureOf, worse } from '../../client/training/measure.ts';

/** Means over the seeds of one rule under one attack. */
export interface Entry {
  /** Null for no attack. */
  readonly attack: string | null;
  readonly seeds: number;
  /** Of the last model, in what its task is measured by. */
  readonly value: number;
  /** Of the last model: share of right classes, next tokens or pixels. */
  readonly accuracy: number;
  /** By round measured. */
  readonly curve: readonly { readonly round: number; readonly value: number }[];
  readonly backdoorSuccess: number | null;
  /** Part of the rounds in which an honest participant had less than half of an equal share: mean, and of the one most left out. */
  readonly leftOut: number;
  readonly mostLeftOut: number;
  /** The same for each of them, the one most left out first. */
  readonly eachLeftOut: readonly number[];
  /** Mean share of the honest participant that counted least, 1 being an equal share. */
  readonly leastShare: number;
  /** By model, the federation's (`shared`) first: how it does on what participants hold out of their own; empty without any. */
  readonly own: ReadonlyMap<string, OwnValue>;
}

export interface OwnValue {
  /** Over honest participants and seeds. */
  readonly mean: number;
  /** Of the participant it does least for, mean over seeds. */
  readonly least: number;
}

export interface RuleRow {
  readonly rule: string;
  readonly entries: readonly Entry[];
  /** The attack that does most harm; null when there was none. */
  readonly worst: Entry | null;
}

export interface ResultTable {
  readonly measure: Measure;
  readonly alpha: Cell['alpha'];
  readonly attacks: readonly (string | null)[];
  readonly rows: readonly RuleRow[];
}

export function tabulate(finished: readonly FinishedCell[]): ResultTable[] {
  const measure = measureOfCells(finished);
  const alphas = distinct(finished.map(({ cell }) => cell.alpha));
  return alphas.map((alpha) => {
    const ofAlpha = finished.filter(({ cell }) => cell.alpha === alpha);
    const attacks = distinct(ofAlpha.map(({ cell }) => cell.attack));
    const rows = distinct(ofAlpha.map(({ cell }) => ruleLabel(cell))).map((rule) => {
      const ofRule = ofAlpha.filter(({ cell }) => ruleLabel(cell) === rule);
      const entries = attacks.map((attack) =>
        entryOf(
          measure,
          attack,
          ofRule.filter(({ cell }) => cell.attack === attack),
        ),
      );
      const attacked = entries.filter(({ attack }) => attack !== null);
      const worst = attacked.reduce<Entry | null>(
        (most, entry) =>
          most === null || (entry.value !== most.value && worse(measure, entry.value, most.value) === entry.value)
            ? entry
            : most,
        null,
      );
      return { rule, entries, worst };
    });
    return { measure, alpha, attacks, rows };
  });
}

/** The cells of a grid learn one task. */
export function measureOfCells([first]: readonly Pick<FinishedCell, 'cell'>[]): Measure {
  return measureOf(first === undefined ? 'classification' : cellTask(first.cell));
}

function entryOf(measure: Measure, attack: string | null, finished: readonly FinishedCell[]): Entry {
  const results = finished.map(({ result }) => result);
  const successes = results.flatMap(({ backdoorSuccess }) => (backdoorSuccess === null ? [] : [backdoorSuccess]));
  return {
    attack,
    seeds: results.length,
    value: mean(results.map(({ accuracy }) => measure.of(accuracy.at(-1)!))),
    accuracy: mean(results.map(({ finalAccuracy }) => finalAccuracy)),
    curve: (results[0]?.accuracy ?? []).map(({ round }, i) => ({
      round,
      value: mean(results.map(({ accuracy }) => measure.of(accuracy[i]!))),
    })),
    backdoorSuccess: successes.length === 0 ? null : mean(successes),
    leftOut: mean(results.map(({ leftOut }) => mean(leftOut))),
    mostLeftOut: mean(results.map(({ leftOut }) => Math.max(...leftOut))),
    eachLeftOut: (results[0]?.leftOut ?? []).map((_, rank) =>
      mean(results.map(({ leftOut }) => leftOut.toSorted((a, b) => b - a)[rank]!)),
    ),
    leastShare: mean(results.map(({ share }) => Math.min(...share))),
    own: ownValues(measure, results),
  };
}

function ownValues(measure: Measure, results: readonly CellResult[]): Map<string, OwnValue> {
  const measured = results.flatMap(({ participants }) => (participants === undefined ? [] : [participants]));
  const first = measured[0]?.[0];
  if (first === undefined) return new Map();
  return new Map(
    ['shared', ...Object.keys(first.personal)].map((model) => {
      const perSeed = measured.map((participants) =>
        participants.map(({ shared, personal }) => (model === 'shared' ? shared : personal[model]) ?? measure.worst),
      );
      const least = mean(perSeed.map((each) => each.reduce((a, b) => worse(measure, a, b))));
      return [model, { mean: mean(perSeed.flat()), least }];
    }),
  );
}

/** What is held out of their own: a row for each rule and attack, mean and the worst off; empty when there is none. */
export function ownRows({ measure, rows }: ResultTable): string[][] {
  const entries = rows.flatMap(({ rule, entries }) => entries.map((entry) => ({ rule, entry })));
  const models = [...new Set(entries.flatMap(({ entry }) => [...entry.own.keys()]))];
  if (models.length === 0) return [];
  return [
    [
      'rule',
      'attack',
      ...models.map((model) => `${model}: mean (${measure.better === 'higher' ? 'lowest' : 'highest'})`),
    ],
    ...entries.map(({ rule, entry }) => [
      rule,
      attackLabel(entry.attack),
      ...models.map((model) => {
        const own = entry.own.get(model);
        return own === undefined ? '-' : `${shown(measure, own.mean)} (${shown(measure, own.least)})`;
      }),
    ]),
  ];
}

const LABELS: Readonly<Record<string, string>> = {
  signFlipping: 'sign flip',
  scaledSignFlipping: 'sign flip scaled',
  labelFlipping: 'label flip',
  innerProductManipulation: 'IPM',
  searchedInnerProductManipulation: 'IPM searched',
  aLittleIsEnough: 'ALIE -',
  aLittleIsEnoughUpward: 'ALIE +',
  searchedALittleIsEnough: 'ALIE searched',
  minMax: 'Min-Max',
  minSum: 'Min-Sum',
  scaledModelReplacement: 'replacement',
  freeRider: 'free rider',
  notANumber: 'NaN',
};

/** What stands above an attack's column. */
export function attackLabel(attack: string | null): string {
  return attack === null ? 'none' : (LABELS[attack] ?? attack);
}

export function alphaLabel(alpha: Cell['alpha']): string {
  return alpha === 'iid' ? 'IID' : alpha === 'natural' ? 'Natural' : `Dirichlet(${alpha})`;
}

/** Accuracy without the leading zero, as papers print it. */
export function share(value: number): string {
  return value.toFixed(3).replace(/^0\./, '.');
}

function shown(measure: Measure, value: number): string {
  return measure.name === 'accuracy' ? share(value) : measure.format(value);
}

/** The heading and the rows of the table of the last models. */
export function measureRows({ measure, attacks, rows }: ResultTable): string[][] {
  return [
    ['rule', ...attacks.map(attackLabel), 'worst'],
    ...rows.map(({ rule, entries, worst }) => [
      rule,
      ...entries.map(({ value }) => shown(measure, value)),
      worst === null ? '-' : shown(measure, worst.value),
    ]),
  ];
}

/** Who among the honest is left out: without an attack and over all attacks. */
export function leftOutRows({ rows }: ResultTable): string[][] {
  const three = (entries: readonly Entry[]): string[] =>
    entries.length === 0
      ? ['-', '-', '-']
      : [
          share(mean(entries.map(({ leftOut }) => leftOut))),
          share(mean(entries.map(({ mostLeftOut }) => mostLeftOut))),
          share(mean(entries.map(({ leastShare }) => leastShare))),
        ];
  return [
    ['rule', 'left out', 'the one most', 'least share', 'attacked: left out', 'the one most', 'least share'],
    ...rows.map(({ rule, entries }) => [
      rule,
      ...three(entries.filter(({ attack }) => attack === null)),
      ...three(entries.filter(({ attack }) => attack !== null)),
    ]),
  ];
}

/** Success of the backdoors, where the grid has any. */
export function backdoorRows({ attacks, rows }: ResultTable): string[][] {
  const shown = [null, 'backdoor', 'scaledModelReplacement'].filter((attack) => attacks.includes(attack));
  if (!shown.some((attack) => attack !== null)) return [];
  return [
    ['rule', ...shown.map(attackLabel)],
    ...rows.map(({ rule, entries }) => [
      rule,
      ...shown.map((attack) => share(entries.find((entry) => entry.attack === attack)?.backdoorSuccess ?? 0)),
    ]),
  ];
}

/** Without an attack, or where there is none under the first: how often each honest participant is left out, in percent. */
function eachLeftOut({ entries }: RuleRow): string {
  const { eachLeftOut: each } = entries.find(({ attack }) => attack === null) ?? entries[0]!;
  return each.map((part) => Math.round(100 * part)).join(' ');
}

function leftOutPair({ entries }: RuleRow): string {
  const { leftOut, mostLeftOut } = entries.find(({ attack }) => attack === null) ?? entries[0]!;
  return `${share(leftOut)}, ${share(mostLeftOut)}`;
}

function withColumn([head = [], ...rows]: readonly string[][], name: string, cells: readonly string[]): string[][] {
  return [[...head, name], ...rows.map((row, i) => [...row, cells[i]!])];
}

/** The tables of all heterogeneities in Markdown. */
export function markdown(tables: readonly ResultTable[]): string {
  return tables
    .flatMap((table) => [
      `## ${alphaLabel(table.alpha)}`,
      '',
      `${table.measure.title} of the last model on held-out ${table.measure.heldOut}, mean over seeds:`,
      '',
      ...markdownTable(withColumn(measureRows(table), 'left out: mean, most', table.rows.map(leftOutPair))),
      '',
      ...(backdoorRows(table).length === 0
        ? []
        : [
            'Success of the backdoor (share of triggered samples taken for the target):',
            '',
            ...markdownTable(backdoorRows(table)),
            '',
          ]),
      ...(ownRows(table).length === 0
        ? []
        : [
            `${table.measure.title} on every honest participant's own held-out ${table.measure.heldOut}: mean over participants and seeds, and of the one the model does least for:`,
            '',
            ...markdownTable(ownRows(table)),
            '',
          ]),
      'Honest participants left out (part of the rounds with less than half of an equal share; least mean share):',
      '',
      ...markdownTable(withColumn(leftOutRows(table), 'each, % of rounds', table.rows.map(eachLeftOut))),
      '',
    ])
    .join('\n');
}

function markdownTable([head = [], ...rows]: readonly string[][]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|---|${'---:|'.repeat(head.length - 1)}`, ...rows.map(line)];
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function distinct<Item>(items: readonly Item[]): Item[] {
  return [...new Set(items)];
}
