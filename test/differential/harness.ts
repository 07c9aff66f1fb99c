/** Questions to the Solidity libraries, many in one eth_call to a chain in this process. */
import hre from 'hardhat';
import { type Abi, decodeFunctionResult, encodeFunctionData, type Hex } from 'viem';

/** A call of LibraryHarness and what to make of its answer; undefined stands for a revert. */
export interface Question {
  readonly call: readonly [name: string, args: readonly unknown[]];
  // biome-ignore lint/suspicious/noExplicitAny: an answer has the shape of its question
  read(answer: any): string;
}

export interface Harness {
  ask(questions: readonly Question[]): Promise<string[]>;
  close(): Promise<void>;
}

const CALL_GAS = 16_000_000n;

export async function openHarness(): Promise<Harness> {
  const connection = await hre.network.create();
  const { address, abi } = await connection.viem.deployContract('LibraryHarness');
  const client = await connection.viem.getPublicClient();
  return {
    close: () => connection.close(),
    async ask(questions) {
      const functions = abi as Abi;
      const calls = questions.map(({ call: [functionName, args] }) =>
        encodeFunctionData({ abi: functions, functionName, args }),
      );
      const request = { address, abi: functions, functionName: 'batch', args: [calls], gas: CALL_GAS };
      const [ok, answers] = (await client.readContract(request)) as [boolean[], Hex[]];
      return questions.map(({ call: [functionName], read }, i) => {
        if (!ok[i]) return 'malformed';
        return read(decodeFunctionResult({ abi: functions, functionName, data: answers[i]! }));
      });
    },
  };
}
