import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { act } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { ApiError } from '../../api/error';
import { ConsoleBar } from '../../components/ConsoleBar';
import type { ConsoleStatus } from '../../console/connection';

let root: Root;
let node: HTMLElement;
const onCtrlAltDel = jest.fn();
const onReconnect = jest.fn();

beforeEach(() => {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  jest.clearAllMocks();
  node = document.createElement('div');
  root = createRoot(node);
});

afterEach(() => act(() => root.unmount()));

function show(status: ConsoleStatus): void {
  const trans = nullTranslator.load('vmpool_ext');
  const vm = 'demo-1';
  act(() => root.render(<ConsoleBar {...{ status, vm, trans, onCtrlAltDel, onReconnect }} />));
}

function click(name: string): void {
  act(() => node.querySelector<HTMLElement>(`[aria-label="${name}"]`)?.click());
}

const refusal = new ApiError('not-running', 'The VM is off.', 409);

describe('The bar above a console', () => {
  it.each<[ConsoleStatus, string]>([
    [{ state: 'connecting' }, 'Connecting…'],
    [{ state: 'connected' }, 'Connected'],
    [{ state: 'reconnecting', seconds: 4 }, 'Connection lost. Reconnecting in 4 s'],
    [{ state: 'closed', ending: { kind: 'taken' } }, 'no longer yours'],
    [{ state: 'closed', ending: { kind: 'refused', refusal } }, 'Closed: The VM is off.']
  ])('says in words that it is %p', (status, words) => {
    show(status);

    expect(node.querySelector('[role="status"]')?.textContent).toContain(words);
  });

  it('tells how the keyboard gets out', () => {
    show({ state: 'connected' });

    expect(node.textContent).toContain('Ctrl+Shift+Escape');
  });

  it('sends Ctrl-Alt-Del only where somebody gets it', () => {
    show({ state: 'connecting' });
    click('Ctrl-Alt-Del to demo-1');
    expect(onCtrlAltDel).not.toHaveBeenCalled();

    show({ state: 'connected' });
    click('Ctrl-Alt-Del to demo-1');
    expect(onCtrlAltDel).toHaveBeenCalledTimes(1);
  });

  it('says why it sends none', () => {
    const find = () => node.querySelector('[data-action="ctrl-alt-del"]');

    show({ state: 'connecting' });
    expect(find()?.getAttribute('aria-description')).toContain('not connected');

    show({ state: 'connected' });
    expect(find()?.hasAttribute('aria-description')).toBe(false);
  });

  it('offers to reconnect in every state', () => {
    show({ state: 'closed', ending: { kind: 'taken' } });

    click('Reconnect demo-1');

    expect(onReconnect).toHaveBeenCalledTimes(1);
  });
});
