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
  description: 'The tab with the console of a VM, and the file that opens it in virt-viewer.',
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
    addConsoleCommands(app.commands, {
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

/** What the commands need of the world around. */
export interface IConsoleCommandsOptions {
  readonly pools: IVmPools;
  readonly trans: TranslationBundle;
  /** Asks whether to take the console over from who uses it. */
  readonly confirm: (vm: VmView) => Promise<boolean>;
  readonly openTab: (target: Target) => Promise<void>;
  /** Gives the person the file for virt-viewer. */
  readonly handOver: (file: ConnectionFile) => void;
  readonly tellRefusal: TellRefusal;
}

/** The two ways to a console; either asks first where it would be taken from somebody. */
export function addConsoleCommands(
  commands: CommandRegistry,
  options: IConsoleCommandsOptions
): void {
  const ways = {
    console: options.openTab,
    file: (target: Target) => fetchFile(target, options)
  };
  for (const action of ['console', 'file'] as const) {
    commands.addCommand(CommandIDs[action], {
      ...commandFor(action, options.pools, options.trans),
      execute: async args => {
        const target = requiredTarget(args);
        if (await mayOpen(target, options)) {
          await ways[action](target);
        }
      }
    });
    options.pools.changed.connect(() => commands.notifyCommandChanged(CommandIDs[action]));
  }
}

async function mayOpen(
  target: Target,
  { pools, confirm }: IConsoleCommandsOptions
): Promise<boolean> {
  const vm = pools.vm(target);
  return !vm || !isUsedByAnother(vm) || confirm(vm);
}

async function fetchFile(target: Target, options: IConsoleCommandsOptions): Promise<void> {
  try {
    const { file } = await options.pools.openConsole(target);
    if (!file) {
      throw new ApiError('unusable-answer', noFileSentence(options.trans), 200);
    }
    options.handOver(file);
  } catch (error) {
    options.tellRefusal('file', target, asApiError(error));
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
