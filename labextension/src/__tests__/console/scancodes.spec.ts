import { describe, expect, it } from '@jest/globals';
import { scancodeOf } from '../../console/scancodes';

describe('A key', () => {
  it.each([
    ['Escape', [0x01]],
    ['KeyQ', [0x10]],
    ['KeyA', [0x1e]],
    ['KeyZ', [0x2c]],
    ['Space', [0x39]],
    ['F10', [0x44]],
    ['NumpadDecimal', [0x53]],
    ['IntlBackslash', [0x56]],
    ['F12', [0x58]],
    ['AltRight', [0xe0, 0x38]],
    ['Delete', [0xe0, 0x53]]
  ])('%s has its number in the first set of a PC’s keyboard', (code, bytes) => {
    expect(scancodeOf(code, true)).toEqual(bytes);
  });

  it('has another when it is let go', () => {
    expect(scancodeOf('KeyA', false)).toEqual([0x9e]);
    expect(scancodeOf('AltRight', false)).toEqual([0xe0, 0xb8]);
  });

  it('that no PC has is none', () => {
    expect(scancodeOf('BrowserHome', true)).toBeUndefined();
    expect(scancodeOf('', false)).toBeUndefined();
  });
});
