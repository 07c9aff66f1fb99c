import type { Finding } from '../protocol/dispute/finding.ts';
import type { Hex } from '../protocol/encoding/bytes.ts';

/** Who a finding is about. */
export type Accused = Pick<Finding, 'accused' | 'role'>;

export const CONTRACT: Accused = { accused: null, role: 'contract' };

export function participant(accused: Hex): Accused {
  return { accused, role: 'participant' };
}

export function aggregator(accused: Hex): Accused {
  return { accused, role: 'aggregator' };
}

/** A breach, unless `details` say otherwise, with everything that is not given left empty. */
export function finding(
  kind: Finding['kind'],
  round: number,
  accused: Accused,
  message: string,
  details: Partial<Pick<Finding, 'severity' | 'expected' | 'received' | 'divergence'>> = {},
): Finding {
  return {
    kind,
    severity: 'breach',
    round,
    ...accused,
    message,
    expected: null,
    received: null,
    divergence: null,
    ...details,
  };
}
