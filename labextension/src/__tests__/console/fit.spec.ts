import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Fit } from '../../console/fit';
import { FakeResizeObserver } from '../fakes';

let around: HTMLElement;
let node: HTMLElement;
let fit: Fit;

beforeEach(() => {
  FakeResizeObserver.install();
  around = document.createElement('div');
  node = document.createElement('div');
  around.append(node);
  fit = new Fit(around, node);
});

afterEach(() => fit.dispose());

function sizeOfScreen(width: number, height: number): void {
  node.replaceChildren(Object.assign(document.createElement('canvas'), { width, height }));
}

function sizeOfTab(clientWidth: number, clientHeight: number): void {
  Object.defineProperties(around, {
    clientWidth: { value: clientWidth, configurable: true },
    clientHeight: { value: clientHeight, configurable: true }
  });
  FakeResizeObserver.tell(around);
}

describe('A screen', () => {
  it('is as large as its tab allows, and in the middle', () => {
    sizeOfScreen(960, 600);

    sizeOfTab(480, 400);

    expect(node.style.transform).toBe('translate(0px, 50px) scale(0.5)');
  });

  it('is enlarged where there is room', () => {
    sizeOfScreen(640, 400);

    sizeOfTab(1600, 800);

    expect(node.style.transform).toBe('translate(160px, 0px) scale(2)');
  });

  it('stays as it is while its tab is hidden', () => {
    sizeOfScreen(960, 600);
    sizeOfTab(960, 600);

    sizeOfTab(0, 0);

    expect(node.style.transform).toBe('translate(0px, 0px) scale(1)');
  });

  it('fits again when the guest has changed its resolution', () => {
    sizeOfScreen(960, 600);
    sizeOfTab(480, 300);

    sizeOfScreen(480, 300);
    fit.fit();

    expect(node.style.transform).toBe('translate(0px, 0px) scale(1)');
  });

  it('is let go with its tab', () => {
    fit.dispose();

    expect(FakeResizeObserver.isWatched(around)).toBe(false);
  });
});
