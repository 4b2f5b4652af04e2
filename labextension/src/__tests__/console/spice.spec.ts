import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import * as cursor from '@spice-project/spice-html5/src/cursor.js';
import * as screen from '@spice-project/spice-html5/src/display.js';
import * as enums from '@spice-project/spice-html5/src/enums.js';
import * as inputs from '@spice-project/spice-html5/src/inputs.js';
import * as main from '@spice-project/spice-html5/src/main.js';
import * as messages from '@spice-project/spice-html5/src/spicemsg.js';
import { aConsole } from '../builders';
import { FakeResizeObserver, fakeSettings } from '../fakes';
import type { IDisplay } from '../../console/display';
import { spiceDisplaysIn } from '../../console/spice';
import {
  Channel,
  hearInputs,
  installDrawing,
  letIn,
  offer,
  PlayedSocket,
  showScreen,
  socketOfDisplay,
  takeScreenAway
} from './playedSpice';

/** The real one. */
const LIBRARY = { ...cursor, ...screen, ...enums, ...inputs, ...main, ...messages };
const ACCESS = aConsole({ engine: 'spice' });

let node: HTMLElement;
let display: IDisplay;
let onConnected: jest.Mock<() => void>;
let onClosed: jest.Mock<(code: number) => void>;

beforeEach(() => {
  PlayedSocket.all = [];
  Object.assign(globalThis, { WebSocket: PlayedSocket });
  FakeResizeObserver.install();
  installDrawing();
  node = document.createElement('div');
  document.body.append(node);
  onConnected = jest.fn<() => void>();
  onClosed = jest.fn<(code: number) => void>();
  display = open(node);
});

afterEach(() => {
  display.dispose();
  node.remove();
});

function open(where: HTMLElement): IDisplay {
  return spiceDisplaysIn(where, fakeSettings(), LIBRARY)(ACCESS, { onConnected, onClosed });
}

const canvas = (): HTMLCanvasElement | null => node.querySelector('canvas');
const opened = (): number[] => PlayedSocket.all.map(({ parent }) => parent.type);

describe('A SPICE display', () => {
  it('is four sockets by one ticket, whatever else the server offers', () => {
    offer(Channel.playback, Channel.display, Channel.usb, Channel.inputs, Channel.cursor);

    expect(opened()).toEqual([Channel.main, Channel.display, Channel.inputs, Channel.cursor]);
    for (const { url, protocol } of PlayedSocket.all) {
      expect(url).toContain('/vms/demo-1/display?ticket=a+ticket');
      expect(protocol).toBe('binary');
    }
  });

  it('is connected once it shows something and hears keys', () => {
    offer(Channel.display, Channel.inputs, Channel.cursor);
    showScreen(960, 600);
    expect(onConnected).not.toHaveBeenCalled();

    hearInputs();

    expect(onConnected).toHaveBeenCalledTimes(1);
  });

  it('goes on with another screen when the guest changes its resolution', async () => {
    await letIn();

    takeScreenAway();
    showScreen(1280, 800);

    expect(canvas()?.width).toBe(1280);
    expect(node.querySelectorAll('canvas')).toHaveLength(1);
    expect(onConnected).toHaveBeenCalledTimes(1);
    expect(onClosed).not.toHaveBeenCalled();
  });

  it('takes away its own screen, and not the one of a console beside it', async () => {
    await letIn();
    const other = document.createElement('div');
    document.body.prepend(other);
    PlayedSocket.all = [];
    const second = open(other);
    await letIn();

    takeScreenAway();
    showScreen(640, 480);

    expect(other.querySelector('canvas')?.width).toBe(640);
    expect(canvas()?.width).toBe(960);
    second.dispose();
    expect(canvas()).not.toBeNull();
    other.remove();
  });

  it('keeps the keys when the screen is another', async () => {
    await letIn();
    display.focus();

    takeScreenAway();
    expect(node.contains(document.activeElement)).toBe(true);
    showScreen(1280, 800);

    expect(document.activeElement).toBe(canvas());
  });

  it('takes no focus from elsewhere', async () => {
    await letIn();
    takeScreenAway();
    showScreen(1280, 800);

    expect(document.activeElement).toBe(document.body);
  });

  it('is focused by a click', async () => {
    await letIn();

    canvas()?.dispatchEvent(new MouseEvent('mousedown', { bubbles: true, cancelable: true }));

    expect(document.activeElement).toBe(canvas());
  });

  it('sends keys, and Ctrl-Alt-Del, over the socket of the inputs', async () => {
    await letIn();

    canvas()?.dispatchEvent(new KeyboardEvent('keydown', { code: 'KeyA', bubbles: true }));
    display.sendCtrlAltDel();

    const { sent } = PlayedSocket.of(Channel.inputs);
    // Two bytes of type, four of length, four of the key.
    expect(sent.map(bytes => [bytes[0], ...bytes.slice(6)])).toEqual([
      [101, 0x1e, 0, 0, 0],
      [101, 0x1d, 0, 0, 0],
      [101, 0x38, 0, 0, 0],
      [101, 0xe0, 0x53, 0, 0],
      [102, 0xe0, 0xd3, 0, 0],
      [102, 0xb8, 0, 0, 0],
      [102, 0x9d, 0, 0, 0]
    ]);
  });

  it.each<[keyof typeof Channel, number]>([
    ['main', 4403],
    ['display', 4409],
    ['inputs', 1006],
    ['cursor', 4401]
  ])('is over with its %s channel, by the code of that, %i', async (channel, code) => {
    await letIn();

    PlayedSocket.of(Channel[channel]).end(code);
    PlayedSocket.all.forEach(socket => socket.end(1000));

    expect(onClosed.mock.calls).toEqual([[code]]);
    expect(canvas()).toBeNull();
  });

  it('is over when the password is wrong, and closes what is open', () => {
    const socket = PlayedSocket.of(Channel.main);

    socket.parent.onerror?.(new Error('Permission denied.'));

    expect(onClosed.mock.calls).toEqual([[1006]]);
    expect(socket.isClosed).toBe(true);
  });

  it('fills up an encrypted password that begins with zeros', () => {
    const socket = PlayedSocket.of(Channel.main);

    socket.parent.send_ticket(Array.from({ length: 126 }, () => 7));

    // Four bytes say how it is encrypted.
    expect(socket.sent[0]?.slice(4, 8)).toEqual([0, 0, 7, 7]);
    expect(socket.sent[0]).toHaveLength(132);
  });

  it('has the focus still when it tells that it is over', async () => {
    await letIn();
    display.focus();
    let focused: Element | null = null;
    onClosed.mockImplementation(() => (focused = document.activeElement));

    socketOfDisplay().end(1006);

    expect(focused).toBeInstanceOf(HTMLCanvasElement);
  });

  it('closes all sockets when it is disposed, and tells nothing more', async () => {
    await letIn();

    display.dispose();
    PlayedSocket.all.forEach(socket => socket.end(4409));

    expect(PlayedSocket.all.map(({ isClosed }) => isClosed)).toEqual([true, true, true, true]);
    expect(onClosed).not.toHaveBeenCalled();
    expect(node.childElementCount).toBe(0);
    expect(FakeResizeObserver.isWatched(node)).toBe(false);
  });

  it('writes nothing into the browser’s console, where its address would stand with the ticket', async () => {
    const log = jest.spyOn(console, 'log').mockImplementation(() => undefined);
    await letIn();

    PlayedSocket.of(Channel.main).dispatchEvent(new Event('error'));
    socketOfDisplay().end(1006);

    expect(log).not.toHaveBeenCalled();
    log.mockRestore();
  });
});
