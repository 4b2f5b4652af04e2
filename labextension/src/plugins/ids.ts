import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyJSONObject, ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Target } from '../api/target';
import type { UserAction } from '../api/types';

/** The names of the commands: the verbs of the permissions. */
export const CommandIDs = {
  start: 'vmpool:start',
  stop: 'vmpool:stop',
  reset: 'vmpool:reset',
  release: 'vmpool:release',
  console: 'vmpool:console',
  /** The console in virt-viewer. */
  file: 'vmpool:connection-file',
  /** The tab of a console as it was: asks nothing, and takes no console over. */
  restoreConsole: 'vmpool:restore-console',
  /** From nothing to an open console. */
  open: 'vmpool:open',
  openPanel: 'vmpool:open-panel'
} as const satisfies Record<UserAction | 'restoreConsole' | 'open' | 'openPanel', string>;

/** What a command is for; null when it was called without. */
export function targetOf({ pool, vm }: ReadonlyPartialJSONObject): Target | null {
  if (typeof pool === 'string') {
    return { pool };
  }
  return typeof vm === 'string' ? { vm } : null;
}

export function requiredTarget(args: ReadonlyPartialJSONObject): Target {
  const target = targetOf(args);
  if (target === null) {
    throw new Error('The command needs the name of a pool or a VM: {"pool": "…"} or {"vm": "…"}');
  }
  return target;
}

/** The target as the arguments of a command. */
export function argumentsOf(target: Target): ReadonlyJSONObject {
  return { ...target };
}

/** The arguments of the commands for a VM, as a JSON schema: one of the two. */
export function targetArguments(trans: TranslationBundle): { args: ReadonlyJSONObject } {
  const pool = trans.__('The name of the pool');
  const vm = trans.__('The name of the VM, where it was granted by its name');
  return {
    args: {
      type: 'object',
      properties: {
        pool: { type: 'string', description: pool },
        vm: { type: 'string', description: vm }
      },
      oneOf: [{ required: ['pool'] }, { required: ['vm'] }]
    }
  };
}
