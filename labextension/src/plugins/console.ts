import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { Dialog, showDialog, WidgetTracker } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import { ApiError, asApiError } from '../api/error';
import type { Target } from '../api/target';
import { keyOf } from '../api/target';
import type { ConnectionFile, VmView } from '../api/types';
import { download } from '../console/download';
import { ConsoleTab } from '../console/tab';
import type { TellRefusal } from '../model/manager';
import { isUsedByAnother } from '../model/phase';
import { IVmPools } from '../tokens';
import { noFileSentence, takeOverConsequence } from '../wording';
import { commandFor } from './commands';
import { argumentsOf, CommandIDs, requiredTarget } from './ids';
import { notifier, tellOfFile } from './notifier';

export const consolePlugin: JupyterFrontEndPlugin<void> = {
  id: 'vmpool-ext:console',
  description: 'The tab with the console of a VM, or the file that virt-viewer opens.',
  autoStart: true,
  requires: [IVmPools],
  optional: [ITranslator, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    pools: IVmPools,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null
  ): void => {
    const tracker = new WidgetTracker<ConsoleTab>({ namespace: 'vmpool-console' });
    const openTab = tabOpener(app, pools, translator ?? nullTranslator, tracker);
    const trans = (translator ?? nullTranslator).load('vmpool_ext');
    addConsoleCommand(app.commands, {
      pools,
      trans,
      confirm: confirmByDialog(trans),
      openTab: target => openTab(target, tab => tab.agree()),
      handOver: file => {
        download(file);
        tellOfFile(trans, file.name);
      },
      tellRefusal: notifier(trans)
    });
    app.commands.addCommand(CommandIDs.restoreConsole, {
      describedBy: { args: { type: 'object' } },
      execute: args => openTab(requiredTarget(args))
    });
    void restorer?.restore(tracker, {
      command: CommandIDs.restoreConsole,
      args: tab => argumentsOf(tab.content.target),
      name: tab => keyOf(tab.content.target)
    });
  }
};

/** What the command needs of the world around. */
export interface IConsoleCommandOptions {
  readonly pools: IVmPools;
  readonly trans: TranslationBundle;
  /** Asks whether to take the console over from who uses it. */
  readonly confirm: (vm: VmView) => Promise<boolean>;
  readonly openTab: (target: Target) => Promise<void>;
  /** Gives the person the file of a display that no tab shows. */
  readonly handOver: (file: ConnectionFile) => void;
  readonly tellRefusal: TellRefusal;
}

export function addConsoleCommand(
  commands: CommandRegistry,
  options: IConsoleCommandOptions
): void {
  const { pools, trans, confirm, openTab } = options;
  commands.addCommand(CommandIDs.console, {
    ...commandFor('console', pools, trans),
    execute: async args => {
      const target = requiredTarget(args);
      const vm = pools.vm(target);
      if (vm && isUsedByAnother(vm) && !(await confirm(vm))) {
        return;
      }
      await (vm?.display === 'spice' ? fetchFile(target, options) : openTab(target));
    }
  });
  pools.changed.connect(() => commands.notifyCommandChanged(CommandIDs.console));
}

async function fetchFile(target: Target, options: IConsoleCommandOptions): Promise<void> {
  try {
    const { file } = await options.pools.openConsole(target);
    if (!file) {
      throw new ApiError('unusable-answer', noFileSentence(options.trans), 200);
    }
    options.handOver(file);
  } catch (error) {
    options.tellRefusal('console', target, asApiError(error));
  }
}

function tabOpener(
  app: JupyterFrontEnd,
  pools: IVmPools,
  translator: ITranslator,
  tracker: WidgetTracker<ConsoleTab>
): (target: Target, prepare?: (tab: ConsoleTab) => void) => Promise<void> {
  const settings = app.serviceManager.serverSettings;
  return async (target, prepare) => {
    const key = keyOf(target);
    const open = tracker.find(tab => keyOf(tab.content.target) === key);
    const tab = open ?? new ConsoleTab({ target, pools, settings, translator });
    prepare?.(tab);
    if (!open) {
      await tracker.add(tab);
      app.shell.add(tab, 'main', { type: 'VM console' });
    }
    app.shell.activateById(tab.id);
  };
}

function confirmByDialog(trans: TranslationBundle): (vm: VmView) => Promise<boolean> {
  return async vm => {
    const result = await showDialog({
      title: trans.__('Take the console of %1 over?', vm.name),
      body: takeOverConsequence(trans, vm),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.warnButton({ label: trans.__('Take over') })
      ],
      // The safe one, so that Enter does no harm.
      defaultButton: 0
    });
    return result.button.accept;
  };
}
