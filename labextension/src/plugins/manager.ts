import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Client } from '../api/client';
import { Updates } from '../api/updates';
import { VmPoolManager } from '../model/manager';
import { IVmPools } from '../tokens';
import { notifier } from './notifier';

export const managerPlugin: JupyterFrontEndPlugin<IVmPools> = {
  id: 'vmpool-ext:manager',
  description: 'Provides the live picture of the pools and VMs of the user.',
  autoStart: true,
  provides: IVmPools,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null): IVmPools => {
    const settings = app.serviceManager.serverSettings;
    return new VmPoolManager({
      client: new Client(settings),
      updates: new Updates(settings),
      tellRefusal: notifier((translator ?? nullTranslator).load('vmpool_ext'))
    });
  }
};
