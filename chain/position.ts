/** Where an event stands in the chain's history. */
export interface Position {
  readonly blockNumber: bigint;
  readonly logIndex: number;
}

export function isAfter(a: Position, b: Position): boolean {
  return a.blockNumber === b.blockNumber ? a.logIndex > b.logIndex : a.blockNumber > b.blockNumber;
}
