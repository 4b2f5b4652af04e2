import type { ISignal } from '@lumino/signaling';
import { Token } from '@lumino/coreutils';
import type { ConsoleAccess, PoolAction, PoolView, Problem } from './api/types';

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
  /** Why the picture may be stale. */
  readonly problem: Problem | null;
  /** Emitted when any of the above, or a pending action, is another. */
  readonly changed: ISignal<IVmPools, void>;

  pool(name: string): PoolView | undefined;
  /** The action that the server has not answered yet. */
  pending(pool: string): PoolAction | undefined;
  /** Whether the server would do it now, as far as it has told. */
  allows(pool: string, action: PoolAction): boolean;

  start(pool: string): Promise<void>;
  stop(pool: string): Promise<void>;
  reset(pool: string): Promise<void>;
  release(pool: string): Promise<void>;
  /** Ask for a ticket to the console; throws `ApiError`, since whoever asks shows the answer. */
  openConsole(pool: string): Promise<ConsoleAccess>;
}

export const IVmPools = new Token<IVmPools>(
  'vmpool-ext:IVmPools',
  'The virtual machine pools that the user may use, live, with the actions on them.'
);
