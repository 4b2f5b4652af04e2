import { describe, expect, it } from '@jest/globals';
import type { Fault, OwnVmView, Picture, Problem, Reason, VmView } from '../../api/types';
import { anOwnVm, aPool, aVm } from '../builders';
import { click, find, node, onAction, show, showOwnVm, showPool } from './rendered';

const SINCE = '2026-11-22T15:00:00Z';

function aFault(code: Fault['code'], message = 'What happened.'): Fault {
  return { code, message };
}

function aProblem(code: string): Problem {
  return { code, message: 'In the words of the server.', since: SINCE };
}

const advice = () => find('.jp-VmPool-Advice').textContent;
const phase = () => find('.jp-VmPool-State').dataset.phase;

describe('A VM that is under way', () => {
  it.each<[string, Partial<VmView>, string, string, string]>([
    ['being-prepared', { state: 'starting' }, 'preparing', 'Being prepared', 'previous session'],
    ['waiting-for-login', {}, 'logging-in', 'Logging you in…', 'Then the console']
  ])('says %s in a word, by an icon, and what follows', (code, vm, state, word, words) => {
    showPool({ vm: aVm(vm), why: { console: { code } } });

    expect(phase()).toBe(state);
    expect(find('.jp-VmPool-Word').textContent).toBe(word);
    expect(find('.jp-VmPool-State').querySelector('svg')).not.toBeNull();
    expect(advice()).toContain(words);
  });

  it('starts up before it logs anybody in', () => {
    showPool({ vm: aVm({ booted: false }), why: { console: { code: 'waiting-for-login' } } });

    expect(phase()).toBe('booting');
  });
});

describe('A VM that has come to grief', () => {
  it.each<[Fault['code'], Partial<VmView>, string, string]>([
    ['login-failed', {}, 'login-failed', 'tried again every minute'],
    ['boot-timeout', { booted: false }, 'silent', 'Open its console'],
    ['start-failed', { state: 'failed' }, 'failed', 'Start it again'],
    ['crashed', { state: 'failed' }, 'failed', 'not saved']
  ])('tells of %s, in the words of who knows, and what to do', (code, vm, state, words) => {
    showPool({ vm: aVm({ ...vm, fault: aFault(code) }) });

    expect(phase()).toBe(state);
    expect(find('.jp-VmPool-Fault').textContent).toBe('What happened.');
    expect(find('.jp-VmPool-Fault').dataset.code).toBe(code);
    expect(advice()).toContain(words);
  });
});

describe('A VM without an agent', () => {
  it('says that nobody can be logged in to it, where its pool wants that', () => {
    const vm = aVm({ booted: false, fault: aFault('boot-timeout') });
    showPool({ vm, why: { console: { code: 'agent-missing' } } });

    expect(phase()).toBe('silent');
    expect(advice()).toContain('the pool wants a guest agent');
  });
});

describe('A console that somebody else has', () => {
  const inUse: Partial<OwnVmView> = { console: 'inUse' };

  it.each<[string, Partial<OwnVmView>, string]>([
    ['nameless', inUse, 'Somebody else is connected to the console. Console asks'],
    ['by name', { ...inUse, usedBy: 'bob' }, 'bob uses it. Console asks'],
    [
      'out of reach',
      { ...inUse, why: { console: { code: 'console-in-use' } } },
      'when they have left'
    ],
    ['of a pool, to be taken', { usedBy: 'bob' }, 'bob uses it. Console asks'],
    ['of a pool', { why: { console: { code: 'assigned-to-another' } } }, 'given it back']
  ])('is told, with what to do: %s', (_, given, words) => {
    showOwnVm(given);

    expect(phase()).toBe('in-use');
    expect(find('.jp-VmPool-Word').textContent).toBe('In use by another');
    expect(advice()).toContain(words);
  });
});

describe('A console that one has taken over', () => {
  it('is in use by nobody else any more', () => {
    showOwnVm({ console: 'open', usedBy: 'bob' });

    expect(phase()).toBe('running');
  });
});

describe('A pool that gives nothing', () => {
  it.each<[Reason, string]>([
    [{ code: 'pool-exhausted' }, 'Try again later'],
    [{ code: 'pool-empty' }, 'Ask your administrator'],
    [{ code: 'pool-misconfigured' }, 'Tell your administrator'],
    [{ code: 'unusable-name' }, 'cannot be a login name']
  ])('tells %p by an icon, and what to do', (reason, words) => {
    showPool({ why: { start: reason } });

    const hint = find(`[data-code="${reason.code}"]`);
    expect(hint.textContent).toContain(words);
    expect(hint.querySelector('svg')).not.toBeNull();
  });
});

describe('The panel', () => {
  it.each([
    ['loading', 'being read'],
    ['store-in-use', 'another server'],
    ['backend-unavailable', 'tried again by itself'],
    ['internal', 'Tell your administrator'],
    ['chronicle-behind', 'disk may be full'],
    ['from-the-future', 'Tell your administrator']
  ])(
    'tells the problem %s by an icon, in the words of the server, and what to do',
    (code, words) => {
      show({ problem: aProblem(code), pools: [aPool()] });

      const banner = find(`[data-code="${code}"]`);
      expect(banner.textContent).toContain('In the words of the server.');
      expect(banner.textContent).toContain(words);
      expect(banner.querySelector('svg')).not.toBeNull();
    }
  );

  it.each([
    ['store-in-use', 'true', 'Not up to date since'],
    ['chronicle-behind', 'false', 'Like this since']
  ])('tells a stale picture from one that is not: %s', (code, isStale, words) => {
    show({ problem: aProblem(code), pools: [aPool()] });

    expect(find('.jp-VmPool-Panel').dataset.stale).toBe(isStale);
    expect(find('.jp-VmPool-Since').textContent).toContain(words);
  });

  it('does not say that there is no pool while it is not known', () => {
    show({ problem: aProblem('store-in-use') });
    expect(node.querySelector('[data-note="empty"]')).toBeNull();

    show({ problem: aProblem('loading') });
    expect(node.querySelector('[data-note="empty"]')).toBeNull();
    expect(find('[data-note="loading"]')).toBeDefined();
    expect(node.querySelector('[data-code="loading"]')).toBeNull();
  });

  it('tells administrators what is wrong with which pool, errors and warnings apart', () => {
    const notices: Picture['notices'] = [
      { pool: 'win11', severity: 'error', message: 'No such retention.' },
      { pool: 'linux', severity: 'warning', message: 'Weeks are unknown there.' }
    ];

    show({ notices, pools: [aPool()] });

    const win11 = find('[data-notice="win11"]');
    expect(win11.dataset.severity).toBe('error');
    expect(win11.textContent).toContain('Gives out nothing until it is mended');
    expect(win11.textContent).toContain('No such retention.');
    expect(find('[data-notice="linux"]').textContent).toContain('VM-Operator alone');
    expect(win11.querySelector('svg')?.innerHTML).not.toBe(
      find('[data-notice="linux"]').querySelector('svg')?.innerHTML
    );
  });

  it('tells administrators of broken VMs, below the pool that it is about if it is about one', () => {
    const notices: Picture['notices'] = [
      { pool: 'void', severity: 'vm', message: 'VM "vm1": There is no pool "void".' },
      { pool: '', severity: 'vm', message: 'VMs "vm2", "vm3": The definition has no spec.' }
    ];

    show({ notices, pools: [aPool()] });

    const ofVoid = find('[data-notice="void"]');
    expect(ofVoid.querySelector('strong')?.textContent).toMatch(/^void: VMs that are not/);
    expect(ofVoid.textContent).toContain('VM "vm1"');
    const ofNone = find('[data-notice=""]');
    expect(ofNone.querySelector('strong')?.textContent).toMatch(/^VMs that are not/);
    expect(ofNone.textContent).toContain('has no spec');
  });

  it('tells users that their VM was taken back, and what to do', () => {
    const message = 'The VM "vm1" was yours for a moment. Press Start again.';

    show({ notices: [{ pool: 'win11', severity: 'lost', message }], pools: [aPool()] });

    expect(find('[data-notice="win11"]').textContent).toContain('Your VM was taken back');
    expect(find('[data-notice="win11"]').textContent).toContain('Press Start again');
  });

  it('announces what VMs have come to, politely and once', () => {
    show({ pools: [aPool({ vm: aVm({ state: 'starting' }) })], vms: [anOwnVm()] });
    expect(find('[data-announcer]').textContent).toBe('');

    show({ pools: [aPool({ vm: aVm() })], vms: [anOwnVm({ state: 'stopping' })] });

    expect(find('[data-announcer]').textContent).toBe('demo-1: Running. lab-1: Shutting down');
    expect(find('[data-announcer]').getAttribute('role')).toBe('status');
  });
});

describe('A VM of its own', () => {
  it('has a section of its own below the pools, and only where there is one', () => {
    show({ pools: [aPool()] });
    expect(node.querySelectorAll('section')).toHaveLength(1);

    show({ pools: [aPool()], vms: [anOwnVm()] });

    const titles = [...node.querySelectorAll('h3')].map(title => title.textContent);
    expect(titles).toEqual(['Pools', 'Individual virtual machines']);
  });

  it('has its name above all actions but giving back', () => {
    showOwnVm({});

    const names = [...find('[data-vm-card="lab-1"]').querySelectorAll('h4, button')].map(
      found => found.getAttribute('aria-label') ?? found.textContent
    );
    expect(names).toEqual(['lab-1', 'Start lab-1', 'Console lab-1', 'Stop lab-1', 'Reset lab-1']);
  });

  it('is acted on by its name', () => {
    showOwnVm({ state: 'stopped' });

    click('start');

    expect(find('[data-vm-card="lab-1"]').dataset.state).toBe('stopped');
    expect(onAction).toHaveBeenCalledWith('start', { vm: 'lab-1' });
  });

  it('is kept for nobody', () => {
    showOwnVm({});

    expect(node.textContent).not.toContain('Kept');
  });

  it('has a file for virt-viewer besides, where the server has one', () => {
    showOwnVm({ display: 'spice', connectionFile: true });

    click('file');

    expect(find('[data-action="file"]').title).toContain('virt-viewer');
    expect(find('[data-action="console"]').title).not.toContain('virt-viewer');
    expect(onAction).toHaveBeenCalledWith('file', { vm: 'lab-1' });
  });

  it('has no file where the server has none', () => {
    showOwnVm({ display: 'spice', connectionFile: false });

    expect(node.querySelector('[data-action="file"]')).toBeNull();
  });

  it('says of the file what it says of the console', () => {
    showOwnVm({ connectionFile: true, why: { console: { code: 'not-running' } } });

    click('file');

    expect(find('[data-action="file"]').title).toContain('is off');
    expect(onAction).not.toHaveBeenCalled();
  });
});
