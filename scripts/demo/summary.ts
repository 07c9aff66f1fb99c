/** The last page of the demonstration. */
import { eth, seconds, table, thousands } from '../output/text.ts';
import type { DemoFacts } from './demoFacts.ts';
import { taskOf } from './tasks/registry.ts';

/**
 * @param result what the task has to tell beside its rounds
 * @param wrongs where justice was not done; null when nobody broke a rule
 */
export function summary(
  facts: DemoFacts,
  names: ReadonlyMap<string, string>,
  result: readonly string[],
  wrongs: readonly string[] | null,
): string[] {
  const { rounds, audit, gas, weights, files } = facts;
  const task = taskOf(facts);
  return [
    '',
    ...task.showRounds(rounds),
    `  final: ${task.describe(rounds.at(-1)!).value}, model root ${facts.finalModelRoot}`,
    ...result,
    '',
    'Gas by action',
    ...table([
      ['action', 'times', 'mean', 'least', 'most'],
      ...Object.entries(gas).map(([action, { count, mean, least, most }]) => [
        action,
        String(count),
        ...[mean, least, most].map(thousands),
      ]),
    ]).map((line) => `  ${line}`),
    '',
    ...(weights === null
      ? []
      : [
          'Trimmed most (weight that mixing and trimming left an update in the aggregate; 1.00 is an equal share)',
          ...table([
            ['participant', 'weight', ''],
            ...weights
              .slice(0, 5)
              .map(({ participant, byzantine, weight }) => [
                names.get(participant.toLowerCase()) ?? participant,
                weight.toFixed(2),
                byzantine ? 'Byzantine' : 'honest',
              ]),
          ]).map((line) => `  ${line}`),
          '',
        ]),
    `Time      ${seconds(facts.seconds)} in all; aggregating ${rounds.length} rounds took ${seconds(facts.aggregationSeconds)}, auditing them ${seconds(facts.auditSeconds)}`,
    ...lesson(facts),
    ...(wrongs === null ? [] : justiceLines(facts, names, wrongs)),
    `Audit     ${audit.ok ? `every round holds: ${rounds.length} replayed to the last bit` : 'FAILED'}`,
    ...audit.findings.flatMap(({ kind, round, message, expected, received, divergence }) => [
      `  ${kind} in round ${round}: ${message}`,
      ...(divergence === null
        ? [`    expected ${expected}, received ${received}`]
        : [
            `    round ${divergence.round}, chunk ${divergence.chunk}, coordinate ${divergence.coordinate}: expected ${divergence.expected}, published ${divergence.published}`,
          ]),
    ]),
    '',
    'Files',
    ...table([['what', 'where'], ...Object.entries(files)])
      .slice(1)
      .map((line) => `  ${line}`),
  ];
}

function justiceLines({ slashed }: DemoFacts, names: ReadonlyMap<string, string>, wrongs: readonly string[]): string[] {
  const name = (who: string): string => names.get(who.toLowerCase()) ?? who;
  return [
    `Justice   ${wrongs.length === 0 ? 'done' : 'NOT DONE'}`,
    ...slashed.map(
      ({ who, role, proof, round, amountWei, gas }) =>
        `  ${name(who)} ${role === 'challenger' ? 'lost its bond' : 'was slashed'}: ${proof} in round ${round}, ${eth(BigInt(amountWei))}, ${thousands(gas)} gas`,
    ),
    ...wrongs.map((wrong) => `  ${wrong}`),
  ];
}

/** What the run shows about plain averaging. */
function lesson({ rule, normBound, byzantine, attack }: DemoFacts): string[] {
  if (rule !== 'fedavg' || byzantine === 0) return [];
  return normBound === 'none'
    ? [`Lesson    plain averaging has no defence of its own against ${attack}: run it with --rule nnm+trimmed-mean.`]
    : ['Lesson    the norm bound alone is a defence: without it (--norm-bound none) plain averaging is ruined.'];
}
