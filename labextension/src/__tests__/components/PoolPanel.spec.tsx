import { describe, expect, it } from '@jest/globals';
import { act } from 'react';
import type { Reason, VmState } from '../../api/types';
import { aPool, aVm } from '../builders';
import { button, click, find, isBefore, node, onAction, show, showPool } from './rendered';

describe('The panel', () => {
  it('says that it is loading', () => {
    show({ availability: 'loading' });

    expect(node.textContent).toContain('Loading');
    expect(node.querySelector('[data-pool]')).toBeNull();
  });

  it('says what to do when there is no pool', () => {
    show({});

    expect(find('[data-note="empty"]').textContent).toContain('administrator');
  });

  it('explains itself where the server has no extension', () => {
    show({ availability: 'unsupported' });

    expect(find('[data-note="unsupported"]').textContent).toContain('vmpool_ext');
  });

  it('keeps the last picture while it reconnects, and nothing can be pressed', () => {
    show({ connected: false, pools: [aPool()] });

    click('start');

    expect(find('[role="status"]').textContent).toContain('Reconnecting');
    expect(find('[data-pool="demo"]')).toBeDefined();
    expect(onAction).not.toHaveBeenCalled();
  });

  it.each(['service-unavailable', 'hub-unavailable', 'versions-differ', 'scope-missing'])(
    'says of %s why there is no connection, and not only that there is none',
    code => {
      const problem = { code, message: 'It is away.', since: 'x' };

      show({ connected: false, problem, pools: [aPool()] });

      expect(find('[role="status"]').textContent).toContain('It is away.');
      expect(find('[role="status"]').textContent).not.toContain('Reconnecting');
      expect(find('[data-pool="demo"]')).toBeDefined();
    }
  );

  it('says that there is no connection beside a problem that is none of it', () => {
    const problem = { code: 'backend-unavailable', message: 'No cluster.', since: 'x' };

    show({ connected: false, problem, pools: [aPool()] });

    expect(find('[role="status"]').textContent).toContain('Reconnecting');
  });

  it('tells a visitor whose server it is, and no time since when', () => {
    const problem = { code: 'not-your-server', message: 'It is that of "ann".', since: 'x' };

    show({ connected: false, problem, pools: [] });

    expect(find('[data-code="not-your-server"]').textContent).toBe(
      'This is the server of somebody elseIt is that of "ann".Nothing can be done from here.'
    );
  });

  it('shows the problem above the cards', () => {
    const problem = { code: 'store-in-use', message: 'Another server has it.', since: 'x' };

    show({ problem, pools: [aPool()] });

    const banner = find('[data-code="store-in-use"]');
    expect(banner.textContent).toContain('Another server has it.');
    expect(isBefore(banner, find('[data-pool="demo"]'))).toBe(true);
  });

  it('has a card for each pool, in the order of the server', () => {
    show({ pools: [aPool({ name: 'b' }), aPool({ name: 'a', free: 0, total: 2 })] });

    const cards = [...node.querySelectorAll('ul > li[data-pool]')];
    expect(cards.map(card => card.getAttribute('data-pool'))).toEqual(['b', 'a']);
    expect(cards[1]?.textContent).toContain('0 of 2 free');
  });
});

describe('A card without a VM', () => {
  it('offers Start and nothing else', () => {
    showPool({});

    click('start');

    expect(node.querySelectorAll('button')).toHaveLength(1);
    expect(find('[data-pool="demo"]').dataset.state).toBe('none');
    expect(onAction).toHaveBeenCalledWith('start', { pool: 'demo' });
  });

  it('writes out why Start is not to be had', () => {
    showPool({ why: { start: { code: 'pool-exhausted' } } });

    expect(node.textContent).toContain('All virtual machines of this pool are in use.');
  });
});

describe('A card that gets a VM', () => {
  it('keeps the focus, though the button that had it is gone', () => {
    showPool({});
    button('start').focus();

    showPool({ vm: aVm({ state: 'starting' }) });

    expect(document.activeElement).toBe(button('start'));
  });

  it('takes no focus that is elsewhere', () => {
    showPool({});

    showPool({ vm: aVm({ state: 'starting' }) });

    expect(document.activeElement).toBe(document.body);
  });
});

describe('A card that goes', () => {
  it('leaves the focus to the title of the panel, not to the page', () => {
    show({ pools: [aPool({ name: 'a' }), aPool({ name: 'b' })] });
    find('[data-pool="b"] button').focus();

    show({ pools: [aPool({ name: 'a' })] });

    expect(document.activeElement).toBe(find('h2'));
  });

  it('moves no focus that another card has', () => {
    show({ pools: [aPool({ name: 'a' }), aPool({ name: 'b' })] });
    find('[data-pool="a"] button').focus();

    show({ pools: [aPool({ name: 'a' })] });

    expect(document.activeElement).toBe(find('[data-pool="a"] button'));
  });
});

describe('The hint of an action', () => {
  it('goes by Escape, and comes again with the next focus', () => {
    showPool({ vm: aVm() });
    const hints = () => find('.jp-VmPool-Actions').dataset.hints;
    act(() => button('stop').focus());
    expect(hints()).toBe('shown');

    const escape = new KeyboardEvent('keydown', { key: 'Escape', bubbles: true });
    act(() => void button('stop').dispatchEvent(escape));
    expect(hints()).toBe('dismissed');

    act(() => button('reset').focus());
    expect(hints()).toBe('shown');
  });
});

describe('A card with a VM', () => {
  it('has the name of the VM above the actions', () => {
    showPool({ vm: aVm({ name: 'demo-7' }) });

    const name = [...node.querySelectorAll('h5')].find(found => found.textContent === 'demo-7');
    expect(name && isBefore(name, button('start'))).toBe(true);
  });

  it.each<[VmState, boolean, string]>([
    ['stopped', false, 'Off'],
    ['starting', false, 'Starting'],
    ['running', false, 'Starting up'],
    ['running', true, 'Running'],
    ['stopping', true, 'Shutting down'],
    ['failed', false, 'Failed']
  ])('says %s, booted %p, in a word and by an icon', (state, booted, word) => {
    showPool({ vm: aVm({ state, booted }) });

    const status = find('.jp-VmPool-State');
    expect(find('.jp-VmPool-Word').textContent).toBe(word);
    expect(status.querySelector('svg')).not.toBeNull();
    expect(find('[data-pool="demo"]').dataset.state).toBe(state);
  });

  it.each<[VmState, boolean, string]>([
    ['starting', false, '1'],
    ['running', false, '2']
  ])('shows how far the start has come: %s', (state, booted, step) => {
    showPool({ vm: aVm({ state, booted }) });

    expect(find('[role="progressbar"]').getAttribute('aria-valuenow')).toBe(step);
  });

  it('shows no progress once the VM is ready, or has not come up', () => {
    showPool({ vm: aVm() });
    expect(node.querySelector('[role="progressbar"]')).toBeNull();

    showPool({ vm: aVm({ booted: false, fault: { code: 'boot-timeout', message: 'No sign.' } }) });
    expect(node.querySelector('[role="progressbar"]')).toBeNull();
  });

  it('tells what went wrong in the words of the server', () => {
    const fault = { code: 'start-failed', message: 'QEMU ended at once.' } as const;

    showPool({ vm: aVm({ state: 'failed', fault }) });

    expect(find('.jp-VmPool-Fault').textContent).toBe('QEMU ended at once.');
  });

  it('tells in local time until when the VM is kept', () => {
    const evening = new Date();
    evening.setHours(18, 20);

    showPool({ vm: aVm({ retainedUntil: evening.toISOString() }) });

    expect(node.textContent).toContain('until 18:20');
  });

  it('calls every action by its word and its pool', () => {
    showPool({ vm: aVm() });

    const names = [...node.querySelectorAll('button')].map(found =>
      found.getAttribute('aria-label')
    );
    expect(names).toEqual([
      'Start demo',
      'Console demo',
      'Stop demo',
      'Reset demo',
      'Give back demo'
    ]);
  });

  it.each<[Reason, string]>([
    [{ code: 'not-running' }, 'is off'],
    [{ code: 'stopping' }, 'shutting down'],
    [{ code: 'console-in-use' }, 'Somebody else'],
    [{ code: 'permission-missing', permission: 'reset' }, 'may not reset'],
    [{ code: 'permission-missing' }, 'lack the permission'],
    [{ code: 'from-the-future' }, 'from-the-future']
  ])('says why an action is not to be had: %p', (reason, words) => {
    showPool({ vm: aVm(), why: { reset: reason } });

    click('reset');

    expect(button('reset').getAttribute('aria-disabled')).toBe('true');
    expect(button('reset').hasAttribute('disabled')).toBe(false);
    expect(button('reset').title).toContain(words);
    expect(button('reset').getAttribute('aria-description')).toContain(words);
    expect(onAction).not.toHaveBeenCalled();
  });

  it('is busy with one action at a time', () => {
    show({ pools: [aPool({ vm: aVm() })], pending: () => 'stop' });

    click('console');

    expect(button('stop').getAttribute('aria-busy')).toBe('true');
    expect(button('console').getAttribute('aria-busy')).toBe('false');
    expect(onAction).not.toHaveBeenCalled();
  });

  it('keeps the focus when the picture changes', () => {
    showPool({ vm: aVm({ state: 'starting' }) });
    button('stop').focus();

    showPool({ vm: aVm({ state: 'running' }), free: 1 });

    expect(document.activeElement).toBe(button('stop'));
  });
});
