import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { WidgetTracker } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { ConsoleTab } from '../console/tab';
import { IVmPools } from '../tokens';
import { commandFor, requiredPool } from './commands';
import { CommandIDs, poolOf } from './ids';

export const consolePlugin: JupyterFrontEndPlugin<void> = {
  id: 'vmpool-ext:console',
  description: 'The tab with the console of a VM.',
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
    addConsoleCommand(app, pools, translator ?? nullTranslator, tracker);
    void restorer?.restore(tracker, {
      command: CommandIDs.console,
      args: tab => ({ pool: tab.content.pool }),
      name: tab => tab.content.pool
    });
  }
};

function addConsoleCommand(
  app: JupyterFrontEnd,
  pools: IVmPools,
  translator: ITranslator,
  tracker: WidgetTracker<ConsoleTab>
): void {
  const settings = app.serviceManager.serverSettings;
  app.commands.addCommand(CommandIDs.console, {
    ...commandFor('console', pools, translator.load('vmpool_ext')),
    execute: async args => {
      const pool = requiredPool(poolOf(args));
      const open = tracker.find(tab => tab.content.pool === pool);
      const tab = open ?? new ConsoleTab({ pool, pools, settings, translator });
      if (!open) {
        await tracker.add(tab);
        app.shell.add(tab, 'main', { type: 'VM console' });
      }
      app.shell.activateById(tab.id);
    }
  });
  pools.changed.connect(() => app.commands.notifyCommandChanged(CommandIDs.console));
}
