import type { TranslationBundle } from '@jupyterlab/translation';
import type { ApiError } from './api/error';
import type { Permission, PoolAction, Reason, VmView } from './api/types';

/** Every state that a person tells apart; `booting` is running without a greeting from the guest. */
export type Phase = 'off' | 'starting' | 'booting' | 'running' | 'stopping' | 'failed';

export function phaseOf(vm: Pick<VmView, 'state' | 'booted'>): Phase {
  if (vm.state === 'running') {
    return vm.booted ? 'running' : 'booting';
  }
  return vm.state === 'stopped' ? 'off' : vm.state;
}

export function phaseWord(trans: TranslationBundle, phase: Phase): string {
  const words: Record<Phase, string> = {
    off: trans.__('Off'),
    starting: trans.__('Starting'),
    booting: trans.__('Starting up'),
    running: trans.__('Running'),
    stopping: trans.__('Shutting down'),
    failed: trans.__('Failed')
  };
  return words[phase];
}

export function actionWord(trans: TranslationBundle, action: PoolAction): string {
  const words: Record<PoolAction, string> = {
    start: trans.__('Start'),
    console: trans.__('Console'),
    stop: trans.__('Stop'),
    reset: trans.__('Reset'),
    release: trans.__('Give back')
  };
  return words[action];
}

/** The action with the pool that it is for: the accessible name of its button. */
export function actionName(trans: TranslationBundle, action: PoolAction, pool: string): string {
  const names: Record<PoolAction, string> = {
    start: trans.__('Start %1', pool),
    console: trans.__('Console %1', pool),
    stop: trans.__('Stop %1', pool),
    reset: trans.__('Reset %1', pool),
    release: trans.__('Give back %1', pool)
  };
  return names[action];
}

/** What a button does, for those who point at it. */
export function actionHint(trans: TranslationBundle, action: PoolAction): string {
  const hints: Record<PoolAction, string> = {
    start: trans.__('Start: get a virtual machine and switch it on'),
    console: trans.__('Console: open the screen of the virtual machine'),
    stop: trans.__('Stop: shut the virtual machine down'),
    reset: trans.__('Reset: restart the virtual machine at once'),
    release: trans.__('Give back: let others have the virtual machine')
  };
  return hints[action];
}

/** The codes of `why`, as sentences; a code from a newer server is told as it is. */
export function whySentence(trans: TranslationBundle, reason: Reason): string {
  const sentences: Record<string, string> = {
    'nothing-assigned': trans.__('You have no virtual machine from this pool yet.'),
    'pool-exhausted': trans.__('All virtual machines of this pool are in use. Try again later.'),
    'pool-empty': trans.__('This pool has no virtual machines.'),
    'pool-misconfigured': trans.__(
      'The definition of this pool has an error. Tell your administrator.'
    ),
    'permission-missing': permissionSentence(trans, reason.permission),
    'already-running': trans.__('The virtual machine is on already.'),
    'not-running': trans.__('The virtual machine is off.'),
    stopping: trans.__('The virtual machine is shutting down. Wait until it is off.'),
    'console-in-use': trans.__('Somebody else is connected to the console.')
  };
  return sentences[reason.code] ?? trans.__('Not available now (%1).', reason.code);
}

function permissionSentence(trans: TranslationBundle, permission?: Permission | null): string {
  const sentences: Record<Permission, string> = {
    start: trans.__('You may not start virtual machines of this pool.'),
    stop: trans.__('You may not stop virtual machines of this pool.'),
    reset: trans.__('You may not reset virtual machines of this pool.'),
    accessConsole: trans.__('You may not open consoles of this pool.'),
    takeConsole: trans.__('You may not take a console over from somebody else.')
  };
  return (permission && sentences[permission]) ?? trans.__('You lack the permission for this.');
}

/** The server's own sentence; ours only where no server spoke. */
export function refusalSentence(trans: TranslationBundle, refusal: ApiError): string {
  if (refusal.status === 0 && refusal.code === 'unreachable') {
    return trans.__('The Jupyter server cannot be reached.');
  }
  return refusal.message || trans.__('The server answered with %1.', refusal.code);
}

/** A time of today as time, any other with its date, as the lab's language writes them. */
export function localTime(iso: string, language: string, now = new Date()): string {
  const time = new Date(iso);
  const isToday = time.toDateString() === now.toDateString();
  const options: Intl.DateTimeFormatOptions = isToday
    ? { timeStyle: 'short' }
    : { dateStyle: 'medium', timeStyle: 'short' };
  return Number.isNaN(time.getTime()) ? iso : dateFormat(language, options).format(time);
}

function dateFormat(language: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat(language.replace('_', '-'), options);
  } catch {
    // The lab's "default", or a name that is not a language tag: as the browser has it.
    return new Intl.DateTimeFormat(undefined, options);
  }
}
