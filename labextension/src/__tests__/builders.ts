import type { ConsoleAccess, OwnVmView, Picture, PoolView, VmView } from '../api/types';

/** Only what matters is named in a test; the rest is here. */
export function aVm(given: Partial<VmView> = {}): VmView {
  return {
    name: 'demo-1',
    state: 'running',
    booted: true,
    loggedInUser: null,
    console: 'closed',
    display: 'vnc',
    connectionFile: false,
    restartsForReset: false,
    since: null,
    retainedUntil: null,
    os: null,
    may: [],
    fault: null,
    ...given
  };
}

export function anOwnVm(given: Partial<OwnVmView> = {}): OwnVmView {
  return { ...aVm({ name: 'lab-1' }), why: {}, usedBy: null, ...given };
}

export function aPool(given: Partial<PoolView> = {}): PoolView {
  return {
    name: 'demo',
    free: 3,
    total: 5,
    retention: 'PT4h',
    may: ['start', 'stop', 'reset', 'accessConsole'],
    vm: null,
    waiting: null,
    why: {},
    ...given
  };
}

export function aPicture(pools: readonly PoolView[], given: Partial<Picture> = {}): Picture {
  return { revision: 1, pools, vms: [], notices: [], problem: null, ...given };
}

export function aConsole(given: Partial<ConsoleAccess> = {}): ConsoleAccess {
  return {
    vm: 'demo-1',
    engine: 'vnc',
    url: 'vms/demo-1/display',
    ticket: 'a ticket',
    password: 'a password',
    expiresAt: '2026-11-22T15:00:10Z',
    file: null,
    ...given
  };
}

/** The answer of a display that virt-viewer reaches. */
export function aFile(): ConsoleAccess {
  return aConsole({
    engine: 'spice',
    file: { name: 'demo-1.vv', type: 'application/x-virt-viewer', content: '[virt-viewer]\n' }
  });
}
