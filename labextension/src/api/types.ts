/** What the server says: docs/api.md, field by field. */

export type Permission = 'start' | 'stop' | 'reset' | 'accessConsole' | 'takeConsole';
export type Deed = 'start' | 'stop' | 'reset' | 'release';
export type PoolAction = Deed | 'console';
/** What can be done with a VM that was granted by its name: there is no pool to give it back to. */
export type VmAction = Exclude<PoolAction, 'release'>;
export type VmState = 'stopped' | 'starting' | 'running' | 'stopping' | 'failed';
export type ConsoleState = 'closed' | 'open' | 'inUse';
export type DisplayEngine = 'vnc' | 'spice';

/** Why an action is not to be had: a code, and what the code is about. */
export interface Reason {
  readonly code: string;
  readonly permission?: Permission | null;
}

export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly since: string;
}

export interface Fault {
  readonly code: string;
  readonly message: string;
}

/** For every action that is not to be had: why. */
export type Whys = Readonly<Partial<Record<PoolAction, Reason>>>;

export interface VmView {
  readonly name: string;
  readonly state: VmState;
  readonly booted: boolean;
  readonly loggedInUser: string | null;
  readonly console: ConsoleState;
  /** What its console is opened with. */
  readonly display: DisplayEngine;
  readonly since: string | null;
  readonly retainedUntil: string | null;
  readonly os: string | null;
  readonly may: readonly Permission[];
  readonly fault: Fault | null;
}

/** A VM on which the user has a grant of their own. */
export interface OwnVmView extends VmView {
  readonly why: Whys;
  /** Who else is connected or has it from a pool; only for those who may take the console. */
  readonly usedBy: string | null;
}

export interface PoolView {
  readonly name: string;
  readonly free: number;
  readonly total: number;
  readonly retention: string;
  readonly may: readonly Permission[];
  readonly vm: VmView | null;
  readonly waiting: null;
  readonly why: Whys;
}

/** What administrators are told about a pool: an error keeps it from giving out VMs. */
export interface Notice {
  readonly pool: string;
  readonly severity: 'error' | 'warning';
  readonly message: string;
}

export interface Picture {
  readonly revision: number;
  readonly pools: readonly PoolView[];
  readonly vms: readonly OwnVmView[];
  readonly notices: readonly Notice[];
  readonly problem: Problem | null;
}

export interface Me {
  readonly user: string;
  readonly roles: readonly string[];
  readonly administrator: boolean;
  readonly mode: string;
  readonly version: string;
}

export interface Health {
  readonly status: 'ok' | 'degraded';
  readonly mode: string;
  readonly version: string;
  readonly problem: Problem | null;
}

/** What virt-viewer opens. */
export interface ConnectionFile {
  readonly name: string;
  readonly type: string;
  readonly content: string;
}

/** Whereto and with what to connect for the display of a VM. */
export interface ConsoleAccess {
  readonly vm: string;
  readonly engine: string;
  readonly url: string;
  readonly ticket: string;
  readonly password: string;
  readonly expiresAt: string;
  /** In place of all this, where the display is not shown in a tab. */
  readonly file: ConnectionFile | null;
}
