import type { Target } from '../api/target';
import type { VmState } from '../api/types';
import type { IVmPools } from '../tokens';

const UNDER_WAY: readonly VmState[] = ['starting', 'running'];
/** What keeps a console closed on the way to it, and no longer. */
const PASSING = ['nothing-assigned', 'not-running', 'being-prepared', 'waiting-for-login'];

/** Waits until the console can be opened; false once it does not come to that by itself. */
export function consoleWithinReach(pools: IVmPools, target: Target): Promise<boolean> {
  return new Promise(resolve => {
    // A start is two steps: the picture may still show the first, in which the machine is assigned and off.
    let hasBegun = false;
    const look = (): void => {
      const outcome = outcomeOf(pools, target, hasBegun);
      hasBegun ||= isUnderWay(pools, target);
      if (outcome !== undefined) {
        pools.changed.disconnect(look);
        resolve(outcome);
      }
    };
    pools.changed.connect(look);
    look();
  });
}

/** Undefined while it is still open. */
function outcomeOf(pools: IVmPools, target: Target, hasBegun: boolean): boolean | undefined {
  if (pools.allows(target, 'console')) {
    return true;
  }
  const reason = pools.view(target)?.why.console?.code;
  const mayBegin = !hasBegun && pools.vm(target)?.state === 'stopped';
  const isPassing = reason !== undefined && PASSING.includes(reason);
  return isPassing && (mayBegin || isUnderWay(pools, target)) ? undefined : false;
}

function isUnderWay(pools: IVmPools, target: Target): boolean {
  const state = pools.vm(target)?.state;
  return state !== undefined && UNDER_WAY.includes(state);
}
