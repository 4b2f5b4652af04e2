import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SpiceKeyboard } from '../../console/spiceKeyboard';

const CONTROL = 0x1d;
const ALT = 0x38;
const A = 0x1e;

let node: HTMLElement;
let keyboard: SpiceKeyboard;
let sent: number[][];

beforeEach(() => {
  node = document.createElement('div');
  document.body.append(node);
  sent = [];
  keyboard = new SpiceKeyboard(node, scancode => sent.push([...scancode]));
});

afterEach(() => {
  keyboard.dispose();
  node.remove();
});

function press(type: 'keydown' | 'keyup', code: string, key = ''): KeyboardEvent {
  const event = new KeyboardEvent(type, { code, key, bubbles: true, cancelable: true });
  node.dispatchEvent(event);
  return event;
}

describe('The keyboard of a SPICE console', () => {
  it('sends keys by their places, whatever stands on them', () => {
    press('keydown', 'KeyA', 'q');
    press('keyup', 'KeyA', 'q');

    expect(sent).toEqual([[A], [A | 0x80]]);
  });

  it('keeps all keys from the page, also those that no PC has', () => {
    expect(press('keydown', 'KeyA').defaultPrevented).toBe(true);
    expect(press('keydown', 'BrowserHome').defaultPrevented).toBe(true);
    expect(sent).toHaveLength(1);
  });

  it('presses keys together, and lets them go', () => {
    keyboard.type('ControlLeft', 'AltLeft', 'Delete');

    expect(sent).toEqual([
      [CONTROL],
      [ALT],
      [0xe0, 0x53],
      [0xe0, 0xd3],
      [ALT | 0x80],
      [CONTROL | 0x80]
    ]);
  });

  it('lets go what is held down when the focus goes elsewhere', () => {
    press('keydown', 'ControlLeft');

    node.dispatchEvent(new FocusEvent('focusout', { relatedTarget: document.body }));

    expect(sent).toEqual([[CONTROL], [CONTROL | 0x80]]);
  });

  it('holds on while the focus stays within, as when the screen is another', () => {
    press('keydown', 'ControlLeft');

    node.dispatchEvent(new FocusEvent('focusout', { relatedTarget: node }));

    expect(sent).toEqual([[CONTROL]]);
  });

  it('lets go what is held down together with Meta', () => {
    press('keydown', 'MetaLeft', 'Meta');
    press('keydown', 'KeyA', 'a');
    press('keyup', 'MetaLeft', 'Meta');

    expect(sent.slice(2)).toEqual([[0xe0, 0xdb], [A | 0x80]]);
  });

  it('hears nothing any more once it is disposed', () => {
    keyboard.dispose();
    press('keydown', 'KeyA');

    expect(sent).toEqual([]);
  });
});
