import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { PoolAction } from '../api/types';
import { actionIcons } from '../icons';
import { IVmPools } from '../tokens';
import { actionHint, actionName, actionWord } from '../wording';
import { CommandIDs, poolArguments, poolOf } from './ids';

type Deed = Exclude<PoolAction, 'console'>;

/** Asks whether to do it. */
export type Confirm = (deed: Deed, pool: string) => Promise<boolean>;

export const commandsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'vmpool-ext:commands',
  description: 'The commands that start, stop, reset and give back the VM of a pool.',
  autoStart: true,
  requires: [IVmPools],
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, pools: IVmPools, translator: ITranslator | null): void => {
    const trans = (translator ?? nullTranslator).load('vmpool_ext');
    addCommands(app.commands, pools, trans, confirmByDialog(pools, trans));
  }
};

export function addCommands(
  commands: CommandRegistry,
  pools: IVmPools,
  trans: TranslationBundle,
  confirm: Confirm
): void {
  const deeds: Record<Deed, (pool: string) => Promise<void>> = {
    start: pool => pools.start(pool),
    stop: pool => pools.stop(pool),
    reset: pool => pools.reset(pool),
    release: pool => pools.release(pool)
  };
  for (const deed of Object.keys(deeds) as Deed[]) {
    commands.addCommand(CommandIDs[deed], {
      ...commandFor(deed, pools, trans),
      execute: async args => {
        const pool = requiredPool(poolOf(args));
        if (deed === 'start' || (await confirm(deed, pool))) {
          await deeds[deed](pool);
        }
      }
    });
  }
  pools.changed.connect(() => {
    for (const deed of Object.keys(deeds) as Deed[]) {
      commands.notifyCommandChanged(CommandIDs[deed]);
    }
  });
}

/** What the commands for a pool have in common: how they look, and when they are enabled. */
export function commandFor(
  action: PoolAction,
  pools: IVmPools,
  trans: TranslationBundle
): Omit<CommandRegistry.ICommandOptions, 'execute'> {
  return {
    label: args => {
      const pool = poolOf(args);
      return pool === null ? actionWord(trans, action) : actionName(trans, action, pool);
    },
    caption: actionHint(trans, action),
    icon: actionIcons[action],
    describedBy: poolArguments(trans.__('The name of the pool')),
    isEnabled: args => {
      const pool = poolOf(args);
      return pool !== null && pools.allows(pool, action) && !pools.pending(pool);
    }
  };
}

export function requiredPool(pool: string | null): string {
  if (pool === null) {
    throw new Error('The command needs the name of a pool: {"pool": "…"}');
  }
  return pool;
}

function confirmByDialog(pools: IVmPools, trans: TranslationBundle): Confirm {
  return async (deed, pool) => {
    const result = await showDialog({
      title: question(trans, deed, pools.pool(pool)?.vm?.name ?? pool),
      body: consequence(trans, deed),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.warnButton({ label: actionWord(trans, deed) })
      ],
      // The safe one, so that Enter does no harm.
      defaultButton: 0
    });
    return result.button.accept;
  };
}

function question(trans: TranslationBundle, deed: Deed, vm: string): string {
  const questions: Record<Deed, string> = {
    start: trans.__('Start %1?', vm),
    stop: trans.__('Stop %1?', vm),
    reset: trans.__('Reset %1?', vm),
    release: trans.__('Give back %1?', vm)
  };
  return questions[deed];
}

function consequence(trans: TranslationBundle, deed: Deed): string {
  const consequences: Record<Deed, string> = {
    start: '',
    stop: trans.__(
      'The virtual machine shuts down. It stays yours; what is not saved in it is lost.'
    ),
    reset: trans.__('The virtual machine restarts at once. What is not saved in it is lost.'),
    release: trans.__('Others may get the virtual machine, and you may get another one next time.')
  };
  return consequences[deed];
}
