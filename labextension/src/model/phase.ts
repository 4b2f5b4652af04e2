import type { OwnVmView, VmView, Whys } from '../api/types';

/** Every state of a VM that a person tells apart. */
export type Phase =
  | 'off'
  | 'starting'
  /** The session of who had it before is being ended. */
  | 'preparing'
  /** On, without a greeting from the guest so far. */
  | 'booting'
  /** On, without a greeting in all the time that it may take. */
  | 'silent'
  | 'logging-in'
  | 'login-failed'
  /** On, and somebody else has it or its console. */
  | 'in-use'
  | 'running'
  | 'stopping'
  | 'failed';

export type PhaseSource = Pick<VmView, 'state' | 'booted' | 'console' | 'fault'> &
  Partial<Pick<OwnVmView, 'usedBy'>>;

/** Whether opening the console would get in somebody's way; one's own open console has done so already. */
export function isUsedByAnother({ console, usedBy }: PhaseSource): boolean {
  return console === 'inUse' || (console === 'closed' && !!usedBy);
}

export function phaseOf(vm: PhaseSource, why: Whys): Phase {
  if (vm.state === 'running') {
    return phaseOfRunning(vm, why.console?.code);
  }
  if (vm.state === 'starting') {
    return why.console?.code === 'being-prepared' ? 'preparing' : 'starting';
  }
  return vm.state === 'stopped' ? 'off' : vm.state;
}

function phaseOfRunning(vm: PhaseSource, whyNoConsole: string | undefined): Phase {
  if (vm.fault?.code === 'login-failed' || whyNoConsole === 'login-failed') {
    return 'login-failed';
  }
  if (isUsedByAnother(vm) || whyNoConsole === 'assigned-to-another') {
    return 'in-use';
  }
  if (!vm.booted) {
    return vm.fault?.code === 'boot-timeout' ? 'silent' : 'booting';
  }
  return whyNoConsole === 'waiting-for-login' ? 'logging-in' : 'running';
}
