import type { PoolAction, UserAction, VmView } from './types';

export interface IPoolTarget {
  readonly pool: string;
}

export interface IVmTarget {
  readonly vm: string;
}

/** What an action is done to: the user's VM of a pool, or a VM that was granted by its name. */
export type Target = IPoolTarget | IVmTarget;

const POOL_ACTIONS: readonly PoolAction[] = ['start', 'console', 'stop', 'reset', 'release'];
const VM_ACTIONS: readonly PoolAction[] = ['start', 'console', 'stop', 'reset'];

/** What can be done to it, in the order in which it is shown. */
export function actionsOf(target: Target): readonly PoolAction[] {
  return 'pool' in target ? POOL_ACTIONS : VM_ACTIONS;
}

/** The same for people: with the file of the console, where there is one. */
export function userActionsOf(
  target: Target,
  vm: VmView | null | undefined
): readonly UserAction[] {
  const actions = actionsOf(target);
  return vm?.connectionFile ? [...actions, 'file'] : actions;
}

/** What of the server's actions it is: a file opens the console. */
export function serverActionOf(action: UserAction): PoolAction {
  return action === 'file' ? 'console' : action;
}

/** The path of its endpoints. */
export function pathOf(target: Target): readonly [string, string] {
  return 'pool' in target ? ['pools', target.pool] : ['vms', target.vm];
}

/** What tells it from all others. */
export function keyOf(target: Target): string {
  return pathOf(target).join('/');
}

/** What people call it. */
export function nameOf(target: Target): string {
  return pathOf(target)[1];
}
