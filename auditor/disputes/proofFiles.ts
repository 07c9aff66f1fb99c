/** Proofs as files: one each, named by what it proves, and named in the finding that it proves. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FindingKind } from '../../protocol/dispute/finding.ts';
import type { ProofKind } from '../../protocol/dispute/fraudProof.ts';
import { encodeProofFile } from '../../protocol/dispute/proofFile.ts';
import type { ChainFacts } from '../chain/chainFacts.ts';
import type { RoundReport } from '../report/auditReport.ts';
import { writeFileAtomic } from '../writeFileAtomic.ts';
import type { Dispute } from './dispute.ts';

/** `file` is null for a question, and where no folder was named. */
export type FiledDispute = Dispute & { readonly file: string | null };

/** Writes `<kind>-round-N.proof.json` for each proof; several of one kind are numbered. */
export async function fileProofs(
  { chainId, federation }: Pick<ChainFacts, 'chainId' | 'federation'>,
  disputes: readonly Dispute[],
  folder: string | undefined,
): Promise<FiledDispute[]> {
  const names = new Map<string, number>();
  const filed: FiledDispute[] = [];
  for (const dispute of disputes) {
    if (dispute.type === 'question' || folder === undefined) {
      filed.push({ ...dispute, file: null });
      continue;
    }
    const { proof } = dispute;
    const stem = `${proof.kind}-round-${proof.round}`;
    const count = (names.get(stem) ?? 0) + 1;
    names.set(stem, count);
    const file = join(folder, `${stem}${count === 1 ? '' : `-${count}`}.proof.json`);
    await mkdir(folder, { recursive: true });
    await writeFileAtomic(file, encodeProofFile({ chainId, federation, proof }));
    filed.push({ ...dispute, file });
  }
  return filed;
}

/** Which findings a proof of each kind is the proof of. */
const PROVES: Readonly<Record<ProofKind, readonly FindingKind[]>> = {
  badSum: ['commitmentMismatch', 'payloadInvalid'],
  badVacancy: ['modelMismatch', 'stateMismatch', 'gramMismatch'],
  badCoordinate: ['modelMismatch', 'stateMismatch', 'wronglyExcluded'],
  badGramLeaf: ['gramMismatch', 'wronglyExcluded', 'modelMismatch'],
  badGramNode: ['gramMismatch'],
  badMixing: ['mixingMismatch', 'gramMismatch'],
  copiedUpdate: ['copiedUpdate'],
  unavailable: [],
};

/** The report with each proof's file in the finding that it is the proof of. Questions become notes. */
export function withProofs(report: RoundReport, filed: readonly FiledDispute[]): RoundReport {
  const findings = report.findings.map((finding) => ({ ...finding }));
  const notes = [...report.notes];
  for (const dispute of filed) {
    if (dispute.type === 'question') {
      const { kind, chunk, why } = dispute;
      notes.push(`${why} To ask for on the chain: chunk ${chunk} of the ${kind}.`);
      continue;
    }
    const { accused, proof, file } = dispute;
    const proven = findings.find(
      (finding) => finding.accused === accused && finding.proof === null && PROVES[proof.kind].includes(finding.kind),
    );
    if (proven !== undefined) proven.proof = file;
  }
  return { ...report, findings, notes };
}
