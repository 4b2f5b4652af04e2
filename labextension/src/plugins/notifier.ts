import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { nameOf } from '../api/target';
import type { TellRefusal } from '../model/manager';
import { actionName, refusalSentence } from '../wording';

/** JupyterLab cuts notifications off there, without a sign. */
const LONGEST = 140;
const SHOWN_FOR = 8000;
/** Until somebody has gone to the downloads, and perhaps to install a program. */
const FILE_SHOWN_FOR = 30_000;

/** One notification per refusal; what waiting may mend is a warning, the rest an error. */
export function notifier(trans: TranslationBundle): TellRefusal {
  return (action, target, refusal) => {
    const sentence = refusalSentence(trans, refusal);
    const message = shortened(`${actionName(trans, action, nameOf(target))}: ${sentence}`);
    const type = [409, 503].includes(refusal.status) ? 'warning' : 'error';
    Notification.emit(message, type, { autoClose: SHOWN_FOR });
  };
}

/** What to do with a connection file, and what if nothing happens. */
export function tellOfFile(trans: TranslationBundle, name: string): void {
  const advice = trans.__(
    'Open it with virt-viewer (remote-viewer). If nothing happens, install that and press virt-viewer again.'
  );
  Notification.emit(shortened(`${name}: ${advice}`), 'info', { autoClose: FILE_SHOWN_FOR });
}

function shortened(message: string): string {
  return message.length > LONGEST ? `${message.slice(0, LONGEST - 1)}…` : message;
}
