import type { TranslationBundle } from '@jupyterlab/translation';
import type { ApiError } from './api/error';
import type { Notice, OwnVmView, Permission, Reason, UserAction, VmView, Whys } from './api/types';
import type { Phase } from './model/phase';
import { phaseOf } from './model/phase';

export function phaseWord(trans: TranslationBundle, phase: Phase): string {
  const words: Record<Phase, string> = {
    off: trans.__('Off'),
    starting: trans.__('Starting'),
    preparing: trans.__('Being prepared'),
    booting: trans.__('Starting up'),
    silent: trans.__('On, but not answering'),
    'logging-in': trans.__('Logging you in…'),
    'login-failed': trans.__('Login failed'),
    'in-use': trans.__('In use by another'),
    running: trans.__('Running'),
    stopping: trans.__('Shutting down'),
    failed: trans.__('Failed')
  };
  return words[phase];
}

/** What there is to do about a state, or to wait for; null where its word says it all. */
export function phaseAdvice(
  trans: TranslationBundle,
  vm: VmView | OwnVmView,
  why: Whys
): string | null {
  switch (phaseOf(vm, why)) {
    case 'preparing':
      return trans.__('The previous session is being ended. Then the console can be opened.');
    case 'logging-in':
      return trans.__('Then the console can be opened.');
    case 'login-failed':
      return trans.__(
        'It is tried again every minute. If it stays like this, reset it, or tell your administrator what stands here.'
      );
    case 'silent':
      return silentAdvice(trans, why);
    case 'in-use':
      return inUseAdvice(trans, vm, why);
    case 'failed':
      return failureAdvice(trans, vm);
    default:
      return null;
  }
}

function silentAdvice(trans: TranslationBundle, why: Whys): string {
  return why.console?.code === 'agent-missing'
    ? trans.__(
        'Nothing in it answers that could log you in. Reset it; if it stays like this, tell your administrator that the pool wants a guest agent.'
      )
    : trans.__('Open its console to see what it shows, or reset it.');
}

/** Who else uses the VM, for those who may know. */
export function usedBySentence(
  trans: TranslationBundle,
  vm: VmView | OwnVmView | undefined
): string | null {
  return vm && 'usedBy' in vm && vm.usedBy ? trans.__('%1 uses it.', vm.usedBy) : null;
}

function inUseAdvice(trans: TranslationBundle, vm: VmView | OwnVmView, why: Whys): string {
  const who = usedBySentence(trans, vm);
  if (why.console) {
    return who
      ? trans.__('%1 Its console opens when they have left it.', who)
      : whySentence(trans, why.console);
  }
  return trans.__(
    '%1 Console asks before it takes it over.',
    who ?? trans.__('Somebody else is connected to the console.')
  );
}

/** What it means to take a console over. */
export function takeOverConsequence(trans: TranslationBundle, vm: VmView | OwnVmView): string {
  const who = usedBySentence(trans, vm) ?? trans.__('Somebody else is connected to it.');
  return trans.__('%1 You will see their session, and their console may be closed.', who);
}

/** The server has nothing for virt-viewer, though it said so. */
export function noFileSentence(trans: TranslationBundle): string {
  return trans.__('The server has no file for virt-viewer. Tell your administrator.');
}

function failureAdvice(trans: TranslationBundle, vm: VmView): string {
  return vm.fault?.code === 'crashed'
    ? trans.__('Start it again. What was not saved in it is lost.')
    : trans.__('Start it again. If it fails again, tell your administrator what stands here.');
}

export function actionWord(trans: TranslationBundle, action: UserAction): string {
  const words: Record<UserAction, string> = {
    start: trans.__('Start'),
    console: trans.__('Console'),
    stop: trans.__('Stop'),
    reset: trans.__('Reset'),
    release: trans.__('Give back'),
    file: trans.__('virt-viewer')
  };
  return words[action];
}

/** The action with the pool or VM that it is for: the accessible name of its button. */
export function actionName(trans: TranslationBundle, action: UserAction, name: string): string {
  const names: Record<UserAction, string> = {
    start: trans.__('Start %1', name),
    console: trans.__('Console %1', name),
    stop: trans.__('Stop %1', name),
    reset: trans.__('Reset %1', name),
    release: trans.__('Give back %1', name),
    file: trans.__('virt-viewer for %1', name)
  };
  return names[action];
}

/** What a button does, for those who point at it. */
export function actionHint(trans: TranslationBundle, action: UserAction): string {
  const hints: Record<UserAction, string> = {
    start: trans.__('Start: get a virtual machine and switch it on'),
    console: trans.__('Console: open the screen of the virtual machine'),
    stop: trans.__('Stop: shut the virtual machine down'),
    reset: trans.__('Reset: restart the virtual machine at once'),
    release: trans.__('Give back: let others have the virtual machine'),
    file: trans.__('virt-viewer: download the file that opens the screen in virt-viewer')
  };
  return hints[action];
}

/** The codes of `why`, as sentences; a code from a newer server is told as it is. */
export function whySentence(trans: TranslationBundle, reason: Reason): string {
  const sentences: Record<string, string> = {
    'nothing-assigned': trans.__('You have no virtual machine from this pool yet.'),
    'pool-exhausted': trans.__('All virtual machines of this pool are in use. Try again later.'),
    'pool-empty': trans.__(
      'This pool has no virtual machines. Ask your administrator to add some.'
    ),
    'pool-misconfigured': trans.__(
      'The definition of this pool has an error. Tell your administrator.'
    ),
    'unusable-name': trans.__(
      'Your user name cannot be a login name. Ask your administrator for another one.'
    ),
    'permission-missing': permissionSentence(trans, reason.permission),
    'already-running': trans.__('The virtual machine is on already.'),
    'not-running': trans.__('The virtual machine is off.'),
    stopping: trans.__('The virtual machine is shutting down. Wait until it is off.'),
    'being-prepared': trans.__('The previous session is being ended.'),
    'waiting-for-login': trans.__('You are being logged in.'),
    'login-failed': trans.__('You could not be logged in.'),
    'agent-missing': trans.__('Nothing in the virtual machine answers that could log you in.'),
    'console-in-use': trans.__(
      'Somebody else is connected to the console. It opens when they have left it.'
    ),
    'assigned-to-another': trans.__(
      'Somebody has it from a pool. Its console opens when they have given it back.'
    )
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

/** What a problem of the server is, in short; in general where it is of a newer server. */
export function problemWord(trans: TranslationBundle, code: string): string {
  const words: Record<string, string> = {
    loading: trans.__('The virtual machines are being read'),
    'store-in-use': trans.__('In use by another server'),
    'backend-unavailable': trans.__('The virtual machines cannot be reached'),
    'chronicle-behind': trans.__('What happens cannot be written down'),
    'service-unavailable': trans.__('The virtual machines cannot be reached'),
    'hub-unavailable': trans.__('The JupyterHub does not answer'),
    'scope-missing': trans.__('Your server may not ask for virtual machines'),
    'not-your-server': trans.__('This is the server of somebody else'),
    'versions-differ': trans.__('Two versions that do not go together'),
    internal: trans.__('Something went wrong on the server')
  };
  return words[code] ?? trans.__('Something is wrong on the server');
}

/** What to do about a problem; the server's own sentence may say more. */
export function problemAdvice(trans: TranslationBundle, code: string): string {
  const advice: Record<string, string> = {
    loading: trans.__('Wait a moment.'),
    'store-in-use': trans.__('Nothing can be done from here meanwhile.'),
    'backend-unavailable': trans.__(
      'It is tried again by itself. If it stays like this, tell your administrator.'
    ),
    'chronicle-behind': trans.__(
      'Save what you work on, and tell your administrator: the disk may be full.'
    ),
    'service-unavailable': trans.__(
      'It is tried again by itself. If it stays like this, tell your administrator.'
    ),
    'hub-unavailable': trans.__(
      'It is tried again by itself. If it stays like this, tell your administrator.'
    ),
    'scope-missing': trans.__('Give your administrator what stands here.'),
    'not-your-server': trans.__('Nothing can be done from here.')
  };
  return advice[code] ?? trans.__('Tell your administrator what stands here.');
}

/** What a notice comes to, for those who can mend it. */
export function noticeWord(trans: TranslationBundle, severity: Notice['severity']): string {
  switch (severity) {
    case 'error':
      return trans.__('Gives out nothing until it is mended');
    case 'warning':
      return trans.__('Works here, but not with VM-Operator alone');
    case 'vm':
      return trans.__('VMs that are not as they should be');
    case 'lost':
      return trans.__('Your VM was taken back');
  }
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
