import { afterEach, beforeEach, jest } from '@jest/globals';
import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { act } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import type { Target } from '../../api/target';
import type { OwnVmView, PoolView, UserAction } from '../../api/types';
import { PoolPanel, type IPoolPanelProps } from '../../components/PoolPanel';
import { anOwnVm, aPool } from '../builders';

let root: Root;

/** The node of the panel under test, and what its buttons called. */
export let node: HTMLElement;
export let onAction: jest.Mock<(action: UserAction, target: Target) => void>;

beforeEach(() => {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  node = document.createElement('div');
  document.body.append(node);
  root = createRoot(node);
  onAction = jest.fn<(action: UserAction, target: Target) => void>();
});

afterEach(() => {
  act(() => root.unmount());
  node.remove();
});

export function show(given: Partial<IPoolPanelProps>): void {
  const props: IPoolPanelProps = {
    availability: 'ready',
    connected: true,
    pools: [],
    vms: [],
    notices: [],
    problem: null,
    pending: () => undefined,
    trans: nullTranslator.load('vmpool_ext'),
    language: 'en-GB',
    onAction,
    ...given
  };
  act(() => root.render(<PoolPanel {...props} />));
}

export function showPool(given: Partial<PoolView>): void {
  show({ pools: [aPool(given)] });
}

export function showOwnVm(given: Partial<OwnVmView>): void {
  show({ vms: [anOwnVm(given)] });
}

export function find(selector: string): HTMLElement {
  const found = node.querySelector<HTMLElement>(selector);
  if (!found) {
    throw new Error(`${selector} is not there: ${node.innerHTML}`);
  }
  return found;
}

export const button = (action: string): HTMLElement => find(`button[data-action="${action}"]`);
export const click = (action: string): void => act(() => button(action).click());

export function isBefore(first: Element, second: Element): boolean {
  return !!(first.compareDocumentPosition(second) & Node.DOCUMENT_POSITION_FOLLOWING);
}
