/** What the server says: docs/api.md, field by field. */

export type Permission = 'start' | 'stop' | 'reset' | 'accessConsole' | 'takeConsole';
export type PoolAction = 'start' | 'console' | 'stop' | 'reset' | 'release';
export type VmState = 'stopped' | 'starting' | 'running' | 'stopping' | 'failed';
export type ConsoleState = 'closed' | 'open' | 'inUse';

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

export interface VmView {
  readonly name: string;
  readonly state: VmState;
  readonly booted: boolean;
  readonly loggedInUser: string | null;
  readonly console: ConsoleState;
  readonly since: string | null;
  readonly retainedUntil: string | null;
  readonly os: string | null;
  readonly may: readonly Permission[];
  readonly fault: Fault | null;
}

export interface PoolView {
  readonly name: string;
  readonly free: number;
  readonly total: number;
  readonly retention: string;
  readonly may: readonly Permission[];
  readonly vm: VmView | null;
  readonly waiting: null;
  readonly why: Readonly<Partial<Record<PoolAction, Reason>>>;
}

export interface Picture {
  readonly revision: number;
  readonly pools: readonly PoolView[];
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

/** Whereto and with what to connect for the display of a VM. */
export interface ConsoleAccess {
  readonly vm: string;
  readonly engine: string;
  readonly url: string;
  readonly ticket: string;
  readonly password: string;
  readonly expiresAt: string;
}
