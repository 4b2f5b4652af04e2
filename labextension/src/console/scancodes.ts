/** The keys of a keyboard in the order of their numbers, from 1 on, as a PC has them since 1984. */
const PLAIN = `
  Escape Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal Backspace
  Tab KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Enter
  ControlLeft KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Backquote
  ShiftLeft Backslash KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash ShiftRight NumpadMultiply
  AltLeft Space CapsLock F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 NumLock ScrollLock
  Numpad7 Numpad8 Numpad9 NumpadSubtract Numpad4 Numpad5 Numpad6 NumpadAdd
  Numpad1 Numpad2 Numpad3 Numpad0 NumpadDecimal`;

const OTHERS: readonly [string, number][] = [
  ['IntlBackslash', 0x56],
  ['F11', 0x57],
  ['F12', 0x58],
  ['NumpadEqual', 0x59],
  ['KanaMode', 0x70],
  ['IntlRo', 0x73],
  ['Convert', 0x79],
  ['NonConvert', 0x7b],
  ['IntlYen', 0x7d],
  ['NumpadComma', 0x7e]
];

/** Those that came later begin with 0xe0. */
const EXTENDED: readonly [string, number][] = [
  ['NumpadEnter', 0x1c],
  ['ControlRight', 0x1d],
  ['AudioVolumeMute', 0x20],
  ['AudioVolumeDown', 0x2e],
  ['AudioVolumeUp', 0x30],
  ['NumpadDivide', 0x35],
  ['PrintScreen', 0x37],
  ['AltRight', 0x38],
  ['Pause', 0x46],
  ['Home', 0x47],
  ['ArrowUp', 0x48],
  ['PageUp', 0x49],
  ['ArrowLeft', 0x4b],
  ['ArrowRight', 0x4d],
  ['End', 0x4f],
  ['ArrowDown', 0x50],
  ['PageDown', 0x51],
  ['Insert', 0x52],
  ['Delete', 0x53],
  ['MetaLeft', 0x5b],
  ['MetaRight', 0x5c],
  ['ContextMenu', 0x5d]
];

const RELEASED = 0x80;

const SCANCODES: ReadonlyMap<string, readonly number[]> = new Map([
  ...PLAIN.trim()
    .split(/\s+/)
    .map((code, place): [string, number[]] => [code, [place + 1]]),
  ...OTHERS.map(([code, number]): [string, number[]] => [code, [number]]),
  ...EXTENDED.map(([code, number]): [string, number[]] => [code, [0xe0, number]])
]);

/** The bytes of a keyboard for a key by its place (`KeyboardEvent.code`); none for a key that PCs do not have. */
export function scancodeOf(code: string, isDown: boolean): readonly number[] | undefined {
  const bytes = SCANCODES.get(code);
  return isDown ? bytes : bytes?.map(byte => (byte === 0xe0 ? byte : byte | RELEASED));
}
