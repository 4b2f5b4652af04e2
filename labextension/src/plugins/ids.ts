import type { ReadonlyJSONObject, ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { PoolAction } from '../api/types';

/** The names of the commands: the verbs of the permissions. */
export const CommandIDs = {
  start: 'vmpool:start',
  stop: 'vmpool:stop',
  reset: 'vmpool:reset',
  release: 'vmpool:release',
  console: 'vmpool:console',
  openPanel: 'vmpool:open-panel'
} as const satisfies Record<PoolAction | 'openPanel', string>;

/** The pool that a command is for; none when it was called without. */
export function poolOf(args: ReadonlyPartialJSONObject): string | null {
  return typeof args.pool === 'string' ? args.pool : null;
}

/** The arguments of the commands for a pool, as a JSON schema. */
export function poolArguments(description: string): { args: ReadonlyJSONObject } {
  return {
    args: {
      type: 'object',
      properties: { pool: { type: 'string', description } },
      required: ['pool']
    }
  };
}
