import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Client } from '../api/client';
import { Updates } from '../api/updates';
import type { TellRefusal } from '../model/manager';
import { VmPoolManager } from '../model/manager';
import { IVmPools } from '../tokens';
import { actionName, refusalSentence } from '../wording';

/** JupyterLab cuts notifications off there, without a sign. */
const LONGEST = 140;
const SHOWN_FOR = 8000;

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

/** One notification per refusal; what waiting may mend is a warning, the rest an error. */
export function notifier(trans: TranslationBundle): TellRefusal {
  return (action, pool, refusal) => {
    const sentence = refusalSentence(trans, refusal);
    const message = shortened(`${actionName(trans, action, pool)}: ${sentence}`);
    const type = [409, 503].includes(refusal.status) ? 'warning' : 'error';
    Notification.emit(message, type, { autoClose: SHOWN_FOR });
  };
}

function shortened(message: string): string {
  return message.length > LONGEST ? `${message.slice(0, LONGEST - 1)}…` : message;
}
