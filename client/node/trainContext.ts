/** What a participant's node trains with. */
import type { Federation } from '../../chain/federation.ts';
import type { Manifest } from '../../protocol/encoding/manifest.ts';
import type { PayloadAccess } from '../../storage/payloadAccess.ts';
import type { StateFolder } from '../../storage/stateFolder.ts';
import type { Attack } from '../attacks/attack.ts';
import type { Personalisation } from '../personalisation/settings.ts';
import type { SeedPart } from '../random.ts';
import type { Trainer } from '../training/trainer.ts';
import type { ClientKernels } from './clientKernels.ts';
import type { ParticipantEvent } from './events.ts';

export interface TrainContext {
  readonly federation: Federation;
  readonly manifest: Manifest;
  readonly state: StateFolder;
  readonly payloads: PayloadAccess;
  readonly trainer: Trainer;
  readonly seed: SeedPart;
  readonly attack?: Attack;
  /** This device's own number of minibatches in a round. */
  readonly localSteps?: number;
  /** How the node makes itself a model of its own; default: not at all. */
  readonly personalise?: Personalisation;
  /** Null, the default: plain TypeScript, the reference. */
  readonly kernels?: ClientKernels | null;
  readonly report: (event: ParticipantEvent) => void;
}
