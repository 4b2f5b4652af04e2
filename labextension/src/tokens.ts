import type { ISignal } from '@lumino/signaling';
import { Token } from '@lumino/coreutils';
import type { IPoolTarget, Target } from './api/target';
import type {
  ConsoleAccess,
  Notice,
  OwnVmView,
  PoolAction,
  PoolView,
  Problem,
  VmView
} from './api/types';

/** How much of the picture is known. */
export type Availability = 'loading' | 'ready' | 'unsupported';

/** The user's pools and VMs, and what can be done with them. */
export interface IVmPools {
  /** Resolves with the first picture, or when it is known that there will be none. */
  readonly ready: Promise<void>;
  readonly availability: Availability;
  /** Whether changes on the server arrive here; without that the pools are the last known ones. */
  readonly connected: boolean;
  readonly pools: readonly PoolView[];
  /** The VMs that were granted by name. */
  readonly vms: readonly OwnVmView[];
  /** What is wrong with pools; only administrators are told. */
  readonly notices: readonly Notice[];
  /** Why the picture may be stale. */
  readonly problem: Problem | null;
  /** Emitted when any of the above, or a pending action, is another. */
  readonly changed: ISignal<IVmPools, void>;

  /** The pool or the VM that is meant, as it is now. */
  view(target: Target): PoolView | OwnVmView | undefined;
  /** The VM that is meant; from a pool there may be none yet. */
  vm(target: Target): VmView | OwnVmView | undefined;
  /** The action that the server has not answered yet. */
  pending(target: Target): PoolAction | undefined;
  /** Whether the server would do it now, as far as it has told. */
  allows(target: Target, action: PoolAction): boolean;

  start(target: Target): Promise<void>;
  stop(target: Target): Promise<void>;
  reset(target: Target): Promise<void>;
  release(target: IPoolTarget): Promise<void>;
  /** Ask for what opens the console; throws `ApiError`, since whoever asks shows the answer. */
  openConsole(target: Target): Promise<ConsoleAccess>;
}

export const IVmPools = new Token<IVmPools>(
  'vmpool-ext:IVmPools',
  'The virtual machine pools that the user may use, live, with the actions on them.'
);
