import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { PanelWidget } from '../components/PanelWidget';
import type { OnAction } from '../components/VmActions';
import { poolIcon } from '../icons';
import { IVmPools } from '../tokens';
import { argumentsOf, CommandIDs } from './ids';

const PANEL_ID = 'vmpool-panel';
/** After the file browser and the running kernels, before the rest. */
const RANK = 350;

export const panelPlugin: JupyterFrontEndPlugin<void> = {
  id: 'vmpool-ext:panel',
  description: 'The side panel with the pools and VMs of the user.',
  autoStart: true,
  requires: [IVmPools],
  optional: [ITranslator, ILayoutRestorer, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    pools: IVmPools,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null
  ): void => {
    const panel = panelFor(app, pools, translator ?? nullTranslator);
    app.shell.add(panel, 'left', { rank: RANK, type: 'Virtual machines' });
    restorer?.add(panel, PANEL_ID);
    addOpenCommand(app, (translator ?? nullTranslator).load('vmpool_ext'));
    palette?.addItem({ command: CommandIDs.openPanel, category: panel.title.caption });
  }
};

function panelFor(app: JupyterFrontEnd, pools: IVmPools, translator: ITranslator): PanelWidget {
  const trans = translator.load('vmpool_ext');
  const onAction: OnAction = (action, target) => {
    // An administrator may have switched the plugin of this command off.
    if (app.commands.hasCommand(CommandIDs[action])) {
      void app.commands.execute(CommandIDs[action], argumentsOf(target));
    }
  };
  const panel = new PanelWidget({ pools, trans, language: translator.languageCode, onAction });
  panel.id = PANEL_ID;
  panel.title.icon = poolIcon;
  // The tab shows an icon only: the caption is its accessible name.
  panel.title.caption = trans.__('Virtual machines');
  panel.node.setAttribute('role', 'region');
  panel.node.setAttribute('aria-label', panel.title.caption);
  return panel;
}

function addOpenCommand(app: JupyterFrontEnd, trans: ReturnType<ITranslator['load']>): void {
  app.commands.addCommand(CommandIDs.openPanel, {
    label: trans.__('Virtual machines'),
    caption: trans.__('Show the virtual machines that you may use'),
    icon: poolIcon,
    describedBy: { args: { type: 'object', properties: {} } },
    execute: () => app.shell.activateById(PANEL_ID)
  });
}
