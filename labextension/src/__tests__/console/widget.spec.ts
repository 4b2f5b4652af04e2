import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import { Backoff } from '../../api/backoff';
import { ApiError } from '../../api/error';
import { ConsoleConnection } from '../../console/connection';
import type { IDisplay, IDisplayEvents } from '../../console/display';
import { ConsoleWidget } from '../../console/widget';
import { aConsole, aPool, aVm } from '../builders';
import { FakePools, settled } from '../fakes';

const ON = aPool({ vm: aVm() });
const OFF = aPool({ vm: aVm({ state: 'stopped' }), why: { console: { code: 'not-running' } } });

const DEMO = { pool: 'demo' };

let pools: FakePools;
let widget: ConsoleWidget;
let display: IDisplay & IDisplayEvents;
let canvas: HTMLCanvasElement;
let onLeave: jest.Mock<() => void>;

beforeEach(() => {
  jest.useFakeTimers();
  onLeave = jest.fn<() => void>();
  pools = new FakePools();
  pools.openConsole.mockResolvedValue(aConsole());
  pools.show(ON);
  widget = new ConsoleWidget({
    target: DEMO,
    pools,
    connection: aConnection(),
    trans: nullTranslator.load('vmpool_ext'),
    onLeave
  });
  Widget.attach(widget, document.body);
});

afterEach(() => {
  widget.dispose();
  jest.useRealTimers();
});

function aConnection(): ConsoleConnection {
  return new ConsoleConnection({
    askForTicket: () => pools.openConsole(DEMO),
    loadDisplay: () =>
      Promise.resolve((_access, events) => {
        canvas = document.createElement('canvas');
        widget.screen.append(canvas);
        const focus = jest.fn(() => canvas.focus());
        display = { focus, sendCtrlAltDel: jest.fn(), dispose: jest.fn(), ...events };
        return display;
      }),
    backoff: new Backoff(() => 1)
  });
}

async function connected(): Promise<void> {
  widget.connection.connect();
  await settled();
  display.onConnected();
}

function press(type: 'keydown' | 'keyup', init: KeyboardEventInit): boolean {
  return widget.screen.dispatchEvent(
    new KeyboardEvent(type, { bubbles: true, cancelable: true, ...init })
  );
}

describe('The tab of a console', () => {
  it('is called like the VM, and says so to tests and screen readers', async () => {
    await connected();

    expect(widget.title.label).toBe('demo-1');
    expect(widget.node.dataset.vm).toBe('demo-1');
    expect(widget.node.getAttribute('aria-label')).toContain('demo-1');
  });

  it('keeps the shortcuts of the lab away from the keys of the guest', () => {
    expect(widget.node.dataset.lmSuppressShortcuts).toBe('true');
  });

  it('shows the state of the connection', async () => {
    expect(widget.node.dataset.consoleState).toBe('connecting');
    await connected();
    expect(widget.node.dataset.consoleState).toBe('connected');
    display.onClosed(1006);
    expect(widget.node.dataset.consoleState).toBe('reconnecting');
  });

  it('says why it is closed', async () => {
    pools.openConsole.mockRejectedValue(new ApiError('not-running', 'The VM is off.', 409));

    widget.connection.connect();
    await settled();

    expect(widget.node.dataset.consoleState).toBe('closed');
    expect(widget.node.textContent).toContain('The VM is off.');
  });

  it('comes back by itself when the VM runs again', async () => {
    await connected();
    pools.openConsole.mockRejectedValueOnce(new ApiError('not-running', 'The VM is off.', 409));
    display.onClosed(4409);
    jest.advanceTimersByTime(1000);
    await settled();
    pools.show(OFF);
    expect(widget.node.dataset.consoleState).toBe('closed');

    pools.show(ON);
    await settled();
    display.onConnected();

    expect(widget.node.dataset.consoleState).toBe('connected');
  });

  it('comes back by itself when who else was connected has left, also where it could be taken over', async () => {
    pools.show(aPool({ vm: aVm({ console: 'inUse' }) }));
    pools.openConsole.mockRejectedValueOnce(new ApiError('console-in-use', 'In use.', 409));
    widget.connection.connect();
    await settled();
    expect(widget.node.dataset.consoleState).toBe('closed');

    pools.show(ON);
    await settled();
    display.onConnected();

    expect(widget.node.dataset.consoleState).toBe('connected');
  });

  it('does not ask again and again while nothing has changed', async () => {
    pools.openConsole.mockRejectedValue(new ApiError('console-in-use', 'In use.', 409));
    widget.connection.connect();
    await settled();

    pools.show(ON);
    pools.show(ON);
    await settled();

    expect(pools.openConsole).toHaveBeenCalledTimes(1);
  });

  it('does not wait any longer when the server is back', async () => {
    await connected();
    pools.setConnected(false);
    display.onClosed(1006);

    pools.setConnected(true);
    await settled();
    display.onConnected();

    expect(widget.node.dataset.consoleState).toBe('connected');
  });

  it.each([
    { key: 'Escape', ctrlKey: true, shiftKey: true },
    { key: 'F6', ctrlKey: true }
  ])('lets the keyboard out by %p, once the keys are let go', async keys => {
    const isPassedOn = press('keydown', keys);
    press('keyup', keys);
    await settled();
    expect(onLeave).not.toHaveBeenCalled();

    press('keyup', { key: 'Control' });
    await settled();

    expect(isPassedOn).toBe(false);
    expect(onLeave).toHaveBeenCalledTimes(1);
  });

  it('forgets the way out when the focus goes otherwise between the keys', async () => {
    press('keydown', { key: 'Escape', ctrlKey: true, shiftKey: true });
    widget.screen.dispatchEvent(new FocusEvent('focusout', { bubbles: true }));

    press('keyup', { key: 'a' });
    await settled();

    expect(onLeave).not.toHaveBeenCalled();
  });

  it('gives its screen a name, a place in the order of Tab, and the way out as its description', async () => {
    await connected();

    const described = canvas.getAttribute('aria-describedby') ?? '';
    expect(canvas.getAttribute('aria-label')).toBe('Screen of demo-1');
    expect(canvas.getAttribute('role')).toBe('application');
    expect(canvas.tabIndex).toBe(0);
    expect(document.getElementById(described)?.textContent).toContain('Ctrl+Shift+Escape');
  });

  it('describes its screen again when the guest has another one', async () => {
    await connected();
    const other = document.createElement('canvas');
    canvas.replaceWith(other);
    await settled();

    expect(other.getAttribute('aria-label')).toBe('Screen of demo-1');
    expect(other.tabIndex).toBe(0);
  });

  it('gives the keys to the guest once connected, where it had been waited for', async () => {
    widget.node.tabIndex = -1;
    widget.node.focus();

    await connected();

    expect(document.activeElement).toBe(canvas);
  });

  it('takes no focus from elsewhere', async () => {
    await connected();

    expect(document.activeElement).toBe(document.body);
  });

  it('keeps the focus at a loss, and gives it back to the guest after', async () => {
    widget.node.tabIndex = -1;
    await connected();
    canvas.focus();

    display.onClosed(1006);
    expect(document.activeElement).toBe(widget.node);

    canvas.remove();
    jest.advanceTimersByTime(1000);
    await settled();
    display.onConnected();
    expect(document.activeElement).toBe(canvas);
  });

  it('leaves all other keys to the guest', async () => {
    const isPassedOn = press('keydown', { key: 'Escape' });
    press('keyup', { key: 'Escape' });
    await settled();

    expect(isPassedOn).toBe(true);
    expect(onLeave).not.toHaveBeenCalled();
  });

  it('closes the display with the tab, and listens to nothing any more', async () => {
    await connected();

    widget.dispose();
    pools.show(OFF);
    pools.show(ON);
    await settled();

    expect(display.dispose).toHaveBeenCalledTimes(1);
    expect(pools.openConsole).toHaveBeenCalledTimes(1);
  });
});
