import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { Target } from '../api/target';
import { nameOf, serverActionOf, userActionsOf } from '../api/target';
import type { Deed, UserAction, VmView } from '../api/types';
import { actionIcons } from '../icons';
import { IVmPools } from '../tokens';
import { actionHint, actionName, actionWord, usedBySentence } from '../wording';
import { CommandIDs, requiredTarget, targetArguments, targetOf } from './ids';

/** Asks whether to do it. */
export type Confirm = (deed: Deed, target: Target) => Promise<boolean>;

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
  for (const deed of DEEDS) {
    commands.addCommand(CommandIDs[deed], {
      ...commandFor(deed, pools, trans),
      execute: async args => {
        const target = requiredTarget(args);
        if (deed === 'start' || (await confirm(deed, target))) {
          await perform(deed, target, pools);
        }
      }
    });
  }
  pools.changed.connect(() => {
    for (const deed of DEEDS) {
      commands.notifyCommandChanged(CommandIDs[deed]);
    }
  });
}

const DEEDS: readonly Deed[] = ['start', 'stop', 'reset', 'release'];

async function perform(deed: Deed, target: Target, pools: IVmPools): Promise<void> {
  if (deed !== 'release') {
    await pools[deed](target);
  } else if ('pool' in target) {
    await pools.release(target);
  }
}

/** What the commands for a VM have in common: how they look, and when they are enabled. */
export function commandFor(
  action: UserAction,
  pools: IVmPools,
  trans: TranslationBundle
): Omit<CommandRegistry.ICommandOptions, 'execute'> {
  return {
    label: args => {
      const target = targetOf(args);
      return target ? actionName(trans, action, nameOf(target)) : actionWord(trans, action);
    },
    caption: actionHint(trans, action),
    icon: actionIcons[action],
    describedBy: targetArguments(trans),
    isEnabled: args => {
      const target = targetOf(args);
      return target !== null && isToBeHad(action, target, pools) && !pools.pending(target);
    }
  };
}

/** Whether it can be done now. */
export function isToBeHad(action: UserAction, target: Target, pools: IVmPools): boolean {
  const isOffered = userActionsOf(target, pools.vm(target)).includes(action);
  return isOffered && pools.allows(target, serverActionOf(action));
}

function confirmByDialog(pools: IVmPools, trans: TranslationBundle): Confirm {
  return async (deed, target) => {
    const vm = pools.vm(target);
    const result = await showDialog({
      title: question(trans, deed, vm?.name ?? nameOf(target)),
      body: [usedBySentence(trans, vm), consequence(trans, deed, target, vm)]
        .filter(Boolean)
        .join(' '),
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

function consequence(
  trans: TranslationBundle,
  deed: Deed,
  target: Target,
  vm: VmView | undefined
): string {
  const consequences: Record<Deed, string> = {
    start: '',
    stop:
      'pool' in target
        ? trans.__(
            'The virtual machine shuts down. It stays yours; what is not saved in it is lost.'
          )
        : trans.__(
            'The virtual machine shuts down, whoever uses it. What is not saved in it is lost.'
          ),
    reset: vm?.restartsForReset
      ? trans.__(
          'The virtual machine is shut down and started again. One that does not answer takes as long as it has to shut down.'
        )
      : trans.__('The virtual machine restarts at once. What is not saved in it is lost.'),
    release: trans.__('Others may get the virtual machine, and you may get another one next time.')
  };
  return consequences[deed];
}
