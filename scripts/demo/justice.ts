/** What the contract did about those who lied: its events, told as they come and summed up at the end. */
import type { Address } from 'viem';
import { type FederationEvent, type FederationEventName, readEvents } from '../../chain/events.ts';
import { Federation } from '../../chain/federation.ts';
import { pause } from '../../chain/followRounds.ts';
import type { Connection } from '../../chain/rpc.ts';
import { PROOF_KINDS } from '../../protocol/dispute/fraudProof.ts';
import { eth, shortHash, thousands } from '../output/text.ts';
import type { DemoFacts } from './demoFacts.ts';
import type { Rogue } from './demoOptions.ts';

export type Sentence = DemoFacts['slashed'][number];

const POLL_MS = 300;
const ROLES = ['participant', 'aggregator'] as const;
/** What each rogue must be sentenced for. */
const DUE: Readonly<Record<Rogue, Pick<Sentence, 'role' | 'proof'>>> = {
  'lying-aggregator': { role: 'aggregator', proof: 'badCoordinate' },
  'lying-client': { role: 'participant', proof: 'badSum' },
  'withholding-client': { role: 'participant', proof: 'unavailable' },
  'framing-challenger': { role: 'challenger', proof: 'badSum' },
};

/** @param names of accounts, by address in lower case */
export class Justice {
  readonly sentences: Sentence[] = [];
  private readonly federation: Federation;
  private readonly names: ReadonlyMap<string, string>;
  private readonly say: (line: string) => void;
  private nextBlock = 0n;

  private constructor(federation: Federation, names: ReadonlyMap<string, string>, say: (line: string) => void) {
    this.federation = federation;
    this.names = names;
    this.say = say;
  }

  static async at(
    connection: Connection,
    address: Address,
    names: ReadonlyMap<string, string>,
    say: (line: string) => void,
  ): Promise<Justice> {
    return new Justice(await Federation.at(connection, address), names, say);
  }

  /** Tells what happens until `signal` fires. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look();
      await pause(POLL_MS, signal);
    }
  }

  /** Tells what happened since the last look. */
  async look(): Promise<void> {
    const { connection, address } = this.federation;
    const newest = await connection.publicClient.getBlockNumber();
    if (newest < this.nextBlock) return;
    // One range for all: an event that one question did not see yet must not be passed over by the next look.
    const range = { federation: address, fromBlock: this.nextBlock, toBlock: newest };
    const read = <Name extends FederationEventName>(eventName: Name) => readEvents(connection, { ...range, eventName });
    const events = (
      await Promise.all([
        read('ChallengeOpened'),
        read('ChallengeAnswered'),
        read('SubmissionVoided'),
        read('RoundVoided'),
        read('Slashed'),
        read('AccusationRejected'),
      ])
    )
      .flat()
      .sort((a, b) => Number(a.blockNumber - b.blockNumber) || a.logIndex - b.logIndex);
    this.nextBlock = newest + 1n;
    for (const event of events) {
      const { args, eventName } = event;
      const at = `[ROUND ${args.round}]`;
      if (eventName === 'ChallengeOpened') {
        this.say(
          `${at} ${this.name(args.challenger)} asks ${this.name(args.owner)} on the chain for chunk ${args.chunk}`,
        );
      } else if (eventName === 'ChallengeAnswered') {
        this.say(`${at} ${this.name(args.payee)} answers on the chain and is paid the bond`);
      } else if (eventName === 'SubmissionVoided') {
        this.say(`${at} the update of ${this.name(args.participant)} does not count`);
      } else if (eventName === 'RoundVoided') {
        this.say(`${at} the publication of ${this.name(args.aggregator)} is void, and rounds up to ${args.lastRound}`);
      } else {
        await this.sentence(event);
      }
    }
  }

  private async sentence(event: FederationEvent<'Slashed' | 'AccusationRejected'>): Promise<void> {
    const { args, eventName, transactionHash } = event;
    const proof = PROOF_KINDS[args.proof]!;
    const { gasUsed } = await this.federation.connection.publicClient.getTransactionReceipt({ hash: transactionHash });
    const common = { round: Number(args.round), proof, tx: transactionHash, gas: Number(gasUsed) };
    const price = `tx ${shortHash(transactionHash)} | ${thousands(gasUsed)} gas`;
    if (eventName === 'Slashed') {
      const { account, amount, burned, reward, challenger } = args;
      const role = ROLES[args.role]!;
      this.sentences.push({ ...common, who: account, role, amountWei: String(amount) });
      this.say(
        `[ROUND ${args.round}] ${this.name(account)} slashed (${proof}): ${eth(amount)}, ${eth(burned)} burned, ${eth(reward)} to ${this.name(challenger)} | ${price}`,
      );
    } else {
      const { challenger, accused, bond } = args;
      this.sentences.push({ ...common, who: challenger, role: 'challenger', amountWei: String(bond) });
      this.say(
        `[ROUND ${args.round}] ${this.name(challenger)} accused ${this.name(accused)} falsely (${proof}) and loses its bond of ${eth(bond)} | ${price}`,
      );
    }
  }

  private name(account: string): string {
    return this.names.get(account.toLowerCase()) ?? shortHash(account);
  }
}

/** Where justice was not done: a rogue that got away, somebody sentenced who did nothing. Empty when all is well. */
export function injustices(
  rogues: ReadonlyMap<string, Rogue>,
  sentences: readonly Sentence[],
  names: ReadonlyMap<string, string>,
): string[] {
  const got = (who: string, due: Pick<Sentence, 'role' | 'proof'>) =>
    sentences.filter(
      (sentence) => sentence.who.toLowerCase() === who && sentence.role === due.role && sentence.proof === due.proof,
    );
  const free = [...rogues]
    .filter(([who, rogue]) => got(who, DUE[rogue]).length === 0)
    .map(([who, rogue]) => `${names.get(who)} (${rogue}) got away`);
  const innocent = sentences
    .filter(({ who, role, proof }) => {
      if (proof === 'copiedUpdate') return false; // a penalty: two that learn nothing send the same zeros
      const rogue = rogues.get(who.toLowerCase());
      return rogue === undefined || DUE[rogue].role !== role || DUE[rogue].proof !== proof;
    })
    .map(({ who, proof, tx }) => `${names.get(who.toLowerCase()) ?? who} was sentenced for ${proof} in ${tx}`);
  return [...free, ...innocent];
}
